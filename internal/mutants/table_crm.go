package main

// towardsCRMs breaks what holds between us and the CRMs: P3, P4, P6, P7.
var towardsCRMs = []mutant{
	{promise: "P3", what: "a record moves the cursor before its page's marker", file: deliverFile,
		old: `		if v.PageEnd != nil {
`,
		new: `		if r := v.Record; r != nil && v.Object == "contacts" {
			put(b, cursors, kindCursor, v.Provider+"\x00"+v.Object, &cursor{Cursor: v.ID})
		}
		if v.PageEnd != nil {
`,
		by: "pipeline/pipetest: pages.txt"},
	{promise: "P3", what: "any marker moves the cursor", file: pageFile,
		old: `	if cur.Cursor != m.From {
`,
		new: `	if false {
`,
		by: "pipeline/pipetest: pages.txt"},
	{promise: "P3", what: "any event moves a stream's cursor", file: "pipeline/sync/stream.go",
		old: `	case e.Epoch != pos.Epoch || e.From != pos.Cursor:
		return w.astray(p, c)
`,
		new: "",
		by:  "pipeline/pipetest: streams.txt"},
	{promise: "P3", what: "poison does not move a stream's cursor", file: "pipeline/sync/stream.go",
		old: `	pos.move(e.To)
	put(w, streams, kindStream, c.Provider, pos)
	d := deadLetter(in, why, w.tx.Now)
`,
		new: `	d := deadLetter(in, why, w.tx.Now)
`,
		by: "pipeline/pipetest: streams.txt"},
	{promise: "P3", what: "a marker follows although its records did not arrive", file: accountFile,
		old: `	if err := read.wait(ctx); err != nil && ans.Result.Error == "" {
`,
		new: `	if err := read.wait(ctx); err != nil && ans.Page == nil && ans.Result.Error == "" {
`,
		by: "connectors/host: TestNoMarkerWithoutItsRecords"},
	{promise: "P3", what: "a page that failed has a marker", file: hostFile,
		old: `	if ans.Page != nil && at.Page != nil && r.Error == "" {
`,
		new: `	if ans.Page != nil && at.Page != nil {
`,
		by: "connectors/host: TestNoMarkerWithoutItsRecords"},
	{promise: "P3", what: "a marker stands before its records", file: accountFile,
		old: `	ans = a.conn.Do(ctx, at, leave, func(ctx context.Context, c *schemas.CRMChange) error {
		return a.emit(ctx, c, read.add())
	})
`,
		new: `	var late []*schemas.CRMChange
	ans = a.conn.Do(ctx, at, leave, func(_ context.Context, c *schemas.CRMChange) error {
		late = append(late, c)
		return nil
	})
	time.AfterFunc(50*time.Millisecond, func() {
		for _, c := range late {
			_ = a.emit(ctx, c, read.add())
		}
	})
`,
		by: "connectors/host: TestMarkerFollowsRecords"},
	{promise: "P3", what: "a stream passes what did not arrive", file: accountFile,
		old: `			var one reading
			if err := a.emit(ctx, c, one.add()); err != nil {
`,
		new: `			if c.Stream != nil {
				epoch, cursor = c.Stream.Epoch, c.Stream.To
			}
			var one reading
			if err := a.emit(ctx, c, one.add()); err != nil {
`,
		by: "connectors/host: TestAStreamDoesNotPassWhatWasLost"},

	{promise: "P4", what: "a new owner repeats creates", file: deliverFile,
		old: `		if at.Kind == schemas.KindWrite && at.Operation == schemas.OpCreate {
`,
		new: `		if false {
`,
		by: "pipeline/pipetest: resume.txt"},
	{promise: "P4", what: "a repeat does not say that it is one", file: dispatchFile,
		old: `		at.RepeatOf = &f.Unsure
`,
		new: `		at.RepeatOf = nil
`,
		by: "pipeline/pipetest: create_is_looked_up.txt"},
	{promise: "P4", what: "a create is repeated before a search can find the first", file: resultFile,
		old: `				e.FreeAt = max(e.FreeAt, at.OverBy+indexLag)
`,
		new: `				e.FreeAt = max(e.FreeAt, 0*indexLag)
`,
		by: "pipeline/pipetest: create_is_looked_up.txt"},
	{promise: "P4", what: "a write with an identity goes without it", file: dispatchFile,
		old: `	case e.Identity != "" && e.IdentityField != "":
		return schemas.OpUpsert
`,
		new: "",
		by:  "pipeline/pipetest: resume.txt"},
	{promise: "P4", what: "a repeated create is not looked up", file: "connectors/hubspot/write.go",
		old: `			if !a.unfound(ctx) {
`,
		new: `			if false && !a.unfound(ctx) {
`,
		by: "connectors/hubspot: TestCreateLinksAndRepeatsAdopt"},
	{promise: "P4", what: "what left without an answer is called not sent", file: "connectors/rest/client.go",
		old: `	if left.Load() {
		return schemas.Unknown
`,
		new: `	if left.Load() {
		return schemas.NotSent
`,
		by: "connectors/rest: TestOutcome"},

	{promise: "P6", what: "a second attempt begins while the first is open", file: deliverFile,
		old: `	case e.Attempt != "":
	case e.FreeAt > b.tx.Now:`,
		new: `	case e.FreeAt > b.tx.Now:`,
		by:  "pipeline/pipetest: coalesce.txt"},
	{promise: "P6", what: "of two waiting values the older one is sent", file: deliverFile,
		old: `			out = append(out, top[j])
			i++
`,
		new: `			out = append(out, base[i])
			i++
`,
		by: "pipeline/pipetest: coalesce.txt"},
	{promise: "P6", what: "what waits is replaced, not joined", file: deliverFile,
		old: `	fields := overlay(e.Fields, w.Fields)
`,
		new: `	fields := overlay(nil, w.Fields)
`,
		by: "pipeline/deliver: TestWhatWaitsIsJoined"},
	{promise: "P6", what: "other content goes while an unanswered attempt may arrive", file: deliverFile,
		old: `	if e.MayArrive > b.tx.Now {`,
		new: `	if false {`,
		by:  "pipeline/deliver: TestOtherContentWaitsForWhatMayArrive"},
	{promise: "P6", what: "other content waits for no attempt that may arrive", file: resultFile,
		old: `			e.MayArrive = max(e.MayArrive, at.OverBy)
`,
		new: "",
		by:  "pipeline/pipetest: unanswered.txt"},
	{promise: "P6", what: "links go while what was not answered may arrive", file: resultFile,
		old: `			e.FreeAt = max(e.FreeAt, e.MayArrive) // links are other content than what may still be on its way (P6)
`,
		new: "",
		by:  "pipeline/pipetest: unanswered_links.txt"},
	{promise: "P6", what: "other content goes while the first of a repeat may arrive", file: deliverFile,
		old: `				e.FreeAt = max(e.FreeAt, old.OverBy)
`,
		new: `				e.FreeAt = max(e.FreeAt, 0)
`,
		by: "pipeline/pipetest: resume.txt"},

	{promise: "P7", what: "a value that is known is taken again", file: hearFile,
		old: `	case ok && m.Same(w.env, cur.Value, v):
`,
		new: `	case false:
`,
		by: "pipeline/pipetest: TestWhatTheDialerRepeatsIsNoNews"},
	{promise: "P7", what: "a number in another spelling is news", file: "pipeline/mapping/line.go",
		old: `		return x != "" && x == y
`,
		new: `		return x != y && x == ""
`,
		by: "pipeline/pipetest: echo.txt"},
	{promise: "P7", what: "an address in another spelling is news", file: "pipeline/mapping/line.go",
		old: `		return Lower(strings.TrimSpace(a)) == Lower(strings.TrimSpace(b))
`,
		new: `		return false
`,
		by: "pipeline/pipetest: echo.txt"},
	{promise: "P7", what: "what was dealt with is decided again", file: "pipeline/conflict/conflict.go",
		old: `	case n.At <= h.over(n) && n.At != 0 && !(c.Live && n.At == h.over(n)):
`,
		new: `	case false:
`,
		by: "pipeline/conflict: TestPlainModelOfConcurrentWords"},
	{promise: "P7", what: "an older write of ours is a word of the CRM", file: hearFile,
		old: `		if ours, stands := l.wasOurs(w.env, m, v, at); ours && `,
		new: `		if ours, stands := l.wasOurs(w.env, m, v, at); ours && false && `,
		by:  "pipeline/pipetest: conflict_quick_edits.txt"},
	{promise: "P7", what: "a late record says what a record holds", file: hearFile,
		old: `	stale, whole := at != 0 && at < l.Whole, true
`,
		new: `	stale, whole := at < 0, true
`,
		by: "pipeline/pipetest: late_records.txt"},
	{promise: "P7", what: "do-not-call is taken back by what was said before it", file: "pipeline/sync/donotcall.go",
		old: `		if at > p.DNCAt {
`,
		new: `		if false {
`,
		by: "pipeline/pipetest: do_not_call_late.txt"},
	{promise: "P7", what: "a write of ours over what was typed a moment before is a newer word", file: "pipeline/sync/settle.go",
		old: `			if w.listens(l, f.Name) {
`,
		new: `			if false && w.listens(l, f.Name) {
`,
		by: "pipeline/pipetest: conflict_typed_under_ours.txt"},
	{promise: "P7", what: "what was read before a write of ours came stands against it", file: hearFile,
		old: `		l.takenBack(w.env, m, v)
`,
		new: `		_ = l.takenBack
`,
		by: "pipeline/pipetest: conflict_typed_under_ours.txt"},
	{promise: "P7", what: "do-not-call that is ticked on top of a write of ours is nothing new", file: hearFile,
		old: `			if stands && !h.late && (!waits || m.Role == profile.DoNotCall) {
`,
		new: `			if stands && !h.late && !waits {
`,
		by: "pipeline/pipetest: do_not_call_over_ours.txt"},
	{promise: "P7", what: "that nobody may be called is taken for an echo", file: hearFile,
		old: ` && !(m.Role == profile.DoNotCall && truth(v) && at > e.p.DNCAt) {
`,
		new: ` && at >= 0 {
`,
		by: "pipeline/pipetest: TestEverySideEndsAtThePlainAnswer"},
	{promise: "P7", what: "a write that stands over a newer word stays", file: "pipeline/sync/settle.go",
		old: `			if told && w.stoodOver(p, l, &f, before) {
`,
		new: `			if told && before == nil && w.stoodOver(p, l, &f, before) {
`,
		by: "pipeline/pipetest: conflict_stood_over.txt"},
	{promise: "P7", what: "what the CRM holds is written to it", file: "pipeline/sync/outbound.go",
		old: `		} else if told && m.Alike(w.env, known, v) ||`,
		new: `		} else if told && known == nil ||`,
		by:  "pipeline/pipetest: echo.txt"},
	{promise: "P7", what: "what was written is not known", file: "pipeline/sync/settle.go",
		old: `			l.Known = set(l.Known, f.Name, f.Value)
`,
		new: "",
		by:  "pipeline/pipetest: TestWhatWasWrittenIsNotWrittenAgain"},
}
