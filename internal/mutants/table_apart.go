package main

// apart breaks what keeps tenants, secrets and owners apart: P8, P10, P11, P12.
var apart = []mutant{
	{promise: "P8", what: "an account that waits holds up the line", file: dispatchFile,
		old: `	case a.PausedUntil > b.tx.Now:
		b.leaveLine(a)
`,
		new: `	case a.PausedUntil > b.tx.Now:
`,
		by: "pipeline/deliver: TestAnAccountThatWaitsLeavesTheLine"},
	{promise: "P8", what: "a place that becomes free goes to nobody", file: "pipeline/deliver/open.go",
		old: `	if ok {
		b.tx.Schedule(`,
		new: `	if ok && tenant == "" {
		b.tx.Schedule(`,
		by: "pipeline/deliver: TestOpenAttemptsOfAPartitionAreBounded"},
	{promise: "P8", what: "a partition's open attempts have no bound", file: dispatchFile,
		old: `		if open >= maxOpen {
			return b.standInLine(a)`,
		new: `		if open >= 1000*maxOpen {
			return b.standInLine(a)`,
		by: "pipeline/deliver: TestOpenAttemptsOfAPartitionAreBounded"},
	{promise: "P8", what: "a request looks at all that waits", file: dispatchFile,
		old: `		return len(keys) < 2*most, nil
`,
		new: `		return true, nil
`,
		by: "pipeline/deliver: TestARequestReadsAsMuchWhateverWaits"},
	{promise: "P8", what: "a transaction fires all that is due", file: batchFile,
		old: `	for range maxTicks {
`,
		new: `	for {
`,
		by: "pipeline/run: TestTimersOfOneTransactionAreBounded"},
	{promise: "P8", what: "a timer that panics stops its partition", file: batchFile,
		old: `		case errors.As(err, &reject):
			if err := b.postpone(`,
		new: `		case errors.As(err, &reject) && b.n == 0:
			if err := b.postpone(`,
		by: "pipeline/run: TestBadTimerIsPostponed"},
	{promise: "P8", what: "a request has no bound in bytes", file: dispatchFile,
		old: `bytes > batchLimit(p) {
`,
		new: `bytes > 1000*batchLimit(p) {
`,
		by: "pipeline/pipetest: large_batch.txt"},
	{promise: "P8", what: "a read that fails each time opens the breaker", file: resultFile,
		old: `		if repeated {
			break
		}
`,
		new: "",
		by:  "pipeline/pipetest: failing_read.txt"},
	{promise: "P8", what: "a parked account sends on", file: dispatchFile,
		old: `	case a.Parked != "" && !a.Probing:
`,
		new: `	case false:
`,
		by: "pipeline/pipetest: park.txt"},
	{promise: "P8", what: "a limit of one tenant's account stops all tenants'", file: resultFile,
		old: `		a.PausedUntil = max(a.PausedUntil, b.tx.Now+min(max(r.RetryAfterMs, 1000), waitMost))
`,
		new: `		a.PausedUntil = max(a.PausedUntil, b.tx.Now+min(max(r.RetryAfterMs, 1000), waitMost))
		if err := b.addOpen(maxOpen); err != nil {
			panic(err)
		}
`,
		by: "pipeline/pipetest: throttle.txt"},

	{promise: "P10", what: "what is no reference is repeated", file: "cmd/crmstream/config/secret.go",
		old: `errors.New("a secret must be a reference: env:NAME or file:PATH")`,
		new: `errors.Join(errors.New(ref), errors.New("a secret must be a reference: env:NAME or file:PATH"))`,
		by:  "cmd/crmstream/config: TestSecretIsResolvedAndNeverRepeated"},
	{promise: "P10", what: "a secret that is too large is shown", file: "cmd/crmstream/config/secret.go",
		old: `"reading secret %s: over %d bytes", ref, maxSecret)`,
		new: `"reading secret %s: over %d bytes: %s", ref, maxSecret, b[:20])`,
		by:  "cmd/crmstream/config: TestErrorsNameTheReferenceAlone"},
	{promise: "P10", what: "an error repeats the query", file: "connectors/rest/client.go",
		old: `		err = ue.Err
`,
		new: `		_ = ue
`,
		by: "connectors/rest: TestNoErrorOrLogRepeatsARequest"},
	{promise: "P10", what: "the log has the query", file: "connectors/rest/client.go",
		old: `"path", req.URL.Path,`,
		new: `"path", req.URL.String(),`,
		by:  "connectors/rest: TestNoErrorOrLogRepeatsARequest"},
	{promise: "P10", what: "a stranger's words are not searched for our secrets", file: "connectors/rest/redact.go",
		old: `		if len(x) >= 4 {
`,
		new: `		if len(x) >= 4000 {
`,
		by: "connectors/rest: TestRedact"},
	{promise: "P10", what: "a stranger's words are not searched for tokens", file: "connectors/rest/redact.go",
		old: `		s = f.re.ReplaceAllString(s, f.with)
`,
		new: `		_ = f
`,
		by: "connectors/rest: TestRedact"},

	{promise: "P11", what: "a key has no tenant", file: keyFile,
		old: "func (t Tenant) Key(k Kind, id string) Key { return Key{t.prefix + string([]byte{byte(k)}) + id} }",
		new: "func (t Tenant) Key(k Kind, id string) Key { return Key{t.prefix[:3] + string([]byte{1, 'x', byte(k)}) + id} }",
		by:  "state: TestNoPrefixHoldsAnotherTenantsKey"},
	{promise: "P11", what: "a key does not say where its tenant ends", file: keyFile,
		old: `	b = append(b, byte(len(name)))
`,
		new: `	b = append(b, 1)
`,
		by: "state: TestNoPrefixHoldsAnotherTenantsKey"},
	{promise: "P11", what: "a prefix reaches all kinds", file: keyFile,
		old: "func (t Tenant) Prefix(k Kind, id string) Key { return t.Key(k, id) }",
		new: "func (t Tenant) Prefix(_ Kind, _ string) Key { return Key{t.prefix} }",
		by:  "state: TestNoPrefixHoldsAnotherTenantsKey"},
	{promise: "P11", what: "a tenant's handle can be filled in", file: keyFile,
		old: `type Tenant struct {
`,
		new: `type Tenant struct {
	Scope string
`,
		by: "state: TestAKeyCannotBeFilledIn"},

	{promise: "P9", what: "a batch goes on before the script that was cut off is switched off", file: "pipeline/run/session.go",
		old: `		case !o.controlled():
`,
		new: `		case false:
`,
		by: "pipeline/run: TestAScriptThatIsCutOffIsSwitchedOff"},
	{promise: "P12", what: "a commit without inputs has no offset", file: transactFile,
		old: `			read := []string{anchor}
`,
		new: `			var read []string
`,
		by: "pipeline/run: TestEveryCommitIsFenced"},
	{promise: "P8", what: "a flooded topic keeps short ones waiting", file: "pipeline/run/queue.go",
		old: `		if l.n <= short {
`,
		new: `		if l.n < 0*short {
`,
		by: "pipeline/run: TestAFloodKeepsNobodyWaiting"},
	{promise: "P12", what: "timers of a partition that was taken are committed", file: transactFile,
		old: `			if !s.r.still(mine[p]) {
				return fmt.Errorf(`,
		new: `			if false {
				return fmt.Errorf(`,
		by: "pipeline/run: TestNoCommitOfWhatWasTaken"},
	{promise: "P12", what: "the store of a partition that was taken is written", file: transactFile,
		old: `			if !s.r.still(o) {
				return nil // not behind the restore that may hold the store now (P8)
			}
			defer s.r.lockStore(p)()
			if !s.r.still(o) {`,
		new: `			defer s.r.lockStore(p)()
			if false {`,
		by: "pipeline/run: TestATakenPartitionIsNotSettled"},
	{promise: "P12", what: "effects of a partition that was taken are handed over", file: transactFile,
		old: "len(effects) > 0 && s.r.owned[p] == o {",
		new: "len(effects) > 0 {",
		by:  "pipeline/run: TestATakenPartitionIsNotSettled"},
	{promise: "P12", what: "what the group gave to another is held on to", file: "pipeline/run/held.go",
		old: `			delete(h.since, p)
			took = true
`,
		new: `			took = true
`,
		by: "pipeline/run: TestAssignmentsThatOverlap"},
	{promise: "P12", what: "a lease that ran out ends the session alone", file: "pipeline/run/lease.go",
		old: `			s.held.forget(s.held.all())
`,
		new: "",
		by:  "pipeline/run: TestALeaseThatRanOutEndsAll"},
	{promise: "P12", what: "a member that is cut off believes on", file: "pipeline/run/lease.go",
		old: "		case left >= 0:\n",
		new: "		case left >= 0, s.lease != nil:\n			left = max(left, 0)\n",
		by:  "pipeline/run: TestOwnership"},
	{promise: "P12", what: "a restore ends at the last stable offset", file: restoreFile,
		old: `	ends, err := adm.ListEndOffsets(ctx, topic)
`,
		new: `	ends, err := adm.ListCommittedOffsets(ctx, topic)
`,
		by: "pipeline/run: TestRestoreReadsWhatIsBeingCommitted"},
	{promise: "P12", what: "what was taken while it was restored is owned", file: ownershipFile,
		old: "s.held.assignment(o.partition); ok && number == o.assignment {",
		new: "s.held.assignment(o.partition); ok || number != o.assignment {",
		by:  "pipeline/run: TestTakenWhileRestored"},
	{promise: "P12", what: "what is given again is restored beside its owner", file: ownershipFile,
		old: `		if !ok || s.r.has(p, number) {
`,
		new: `		if !ok {
`,
		by: "pipeline/run: TestAssignmentsThatOverlap"},
	{promise: "P12", what: "effects are not told that a partition was taken", file: ownershipFile,
		old: `			delete(s.r.owned, p)
			s.r.cfg.Effects.Disown(p)
		}
	}
	for p := range s.r.refused {`,
		new: `			delete(s.r.owned, p)
		}
	}
	for p := range s.r.refused {`,
		by: "pipeline/run: TestTwoMembers"},
	{promise: "P12", what: "the host takes effects of what it does not own", file: hostFile,
		old: `	if !h.owned[partition] {
		return
	}
`,
		new: "",
		by:  "connectors/host: TestDisown"},
	{promise: "P12", what: "streams go on after the partition has moved", file: hostFile,
		old: `		if k.partition == partition {
			a.stop(moved)
`,
		new: `		if k.partition == partition {
			_ = a
`,
		by: "connectors/host: TestDisown"},
	{promise: "P12", what: "a member that hears nothing keeps its partitions for ever", file: "pipeline/run/lease.go",
		old: `	until := time.Duration(l.heard.Load()) + l.session
`,
		new: `	until := time.Duration(l.heard.Load()) + 10*l.session
`,
		by: "pipeline/run: TestLease"},
}
