package main

// inKafka breaks what holds between Kafka and the store: P1, P2, P5, P9.
var inKafka = []mutant{
	{promise: "P1", what: "effects are handed over before the commit", file: transactFile,
		old: `	committed, err = s.txn.End(kgo.PreTxnCommitFnContext(`,
		new: `	for p, b := range batches {
		s.r.cfg.Effects.Do(p, b.tx.Effects())
	}
	committed, err = s.txn.End(kgo.PreTxnCommitFnContext(`,
		by: "pipeline/run: TestNothingLeavesBeforeItsCommit"},
	{promise: "P1", what: "effects of a transaction that was taken back are handed over", file: transactFile,
		old: `		return false, nil // rewound; the overlays are dropped`,
		new: `		for p, b := range batches {
			s.r.cfg.Effects.Do(p, b.tx.Effects())
		}
		return false, nil`,
		by: "pipeline/run: TestNothingLeavesBeforeItsCommit"},
	{promise: "P1", what: "a commit that was refused is taken for one", file: transactFile,
		old: `		return false, fmt.Errorf("committing: %w", err) // unknown or fenced: only a new client knows`,
		new: `		return true, s.settle(mine, batches)`,
		by:  "pipeline/run: TestNothingLeavesBeforeItsCommit"},
	{promise: "P1", what: "the effect of a record that was given up stays", file: "pipeline/tx.go",
		old: `	clear(t.effects[m.effects:])
	t.effects = t.effects[:m.effects]
`,
		new: "",
		by:  "pipeline/run: TestNoEffectOfARecordThatWasGivenUp"},
	{promise: "P1", what: "an attempt is handed over and is no state", file: deliverFile,
		old: `	put(b, attempts, kindAttempt, at.ID, at)
	b.timer(at.OverBy, timerExpire, at.ID)
`,
		new: `	b.timer(at.OverBy, timerExpire, at.ID)
`,
		by: "pipeline/pipetest: resume.txt"},

	{promise: "P2", what: "the store is written before the commit", file: transactFile,
		old: `	committed, err = s.txn.End(kgo.PreTxnCommitFnContext(`,
		new: `	for p, b := range batches {
		if err := mine[p].store.Apply(b.writes, mine[p].mark); err != nil {
			return false, err
		}
	}
	committed, err = s.txn.End(kgo.PreTxnCommitFnContext(`,
		by: "pipeline/run: TestNothingLeavesBeforeItsCommit"},
	{promise: "P2", what: "the watermark is a batch of its own, after the rows", file: diskFile,
		old: `	if err := b.Set(metaKey(s.partition).Bytes(), encodeWatermark(wm), nil); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {`,
		new: `	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	if err := s.db.pebble.Set(metaKey(s.partition).Bytes(), encodeWatermark(wm), pebble.NoSync); err != nil {`,
		by: "state/disk: TestRowsAndWatermarkAreOneBatch"},
	{promise: "P2", what: "the watermark is a batch of its own, before the rows", file: diskFile,
		old: `	if err := b.Set(metaKey(s.partition).Bytes(), encodeWatermark(wm), nil); err != nil {`,
		new: `	if err := s.db.pebble.Set(metaKey(s.partition).Bytes(), encodeWatermark(wm), pebble.NoSync); err != nil {`,
		by:  "state/disk: TestACrashAtAnyWriteLeavesAPrefix"},
	{promise: "P2", what: "the watermark is written before the table that it is of", file: "state/disk/load.go",
		old: `	if err := s.db.writeTable(path, lastOfEach(ws)); err != nil {`,
		new: `	if err := s.db.pebble.Set(metaKey(s.partition).Bytes(), encodeWatermark(wm), nil); err != nil {
		return err
	}
	if err := s.db.writeTable(path, lastOfEach(ws)); err != nil {`,
		by: "state/disk: TestACrashAtAnyWriteLeavesAPrefix"},
	{promise: "P2", what: "the first of several writes of one key is loaded", file: "state/disk/load.go",
		old: `		if i+1 == len(order) || ws[order[i+1]].Key != ws[at].Key {`,
		new: `		if i == 0 || ws[order[i-1]].Key != ws[at].Key {`,
		by:  "state/disk: TestACrashAtAnyWriteLeavesAPrefix"},
	{promise: "P2", what: "a store is trusted however old", file: restoreFile,
		old: "now.Sub(time.UnixMilli(wm.AppliedAt)) > tombstoneAge()-time.Hour:",
		new: "now.Before(time.UnixMilli(wm.AppliedAt)):",
		by:  "pipeline/run: TestAStoreThatCannotBeTrustedIsWiped"},
	{promise: "P2", what: "a store that was left alone is not made anew by a run", file: restoreFile,
		old: `	case !ok || !same || wm.Next > end || wm.Next < start ||`,
		new: `	case !ok || !same || wm.Next > end || wm.Next < start || false &&`,
		by:  "pipeline/run: TestOldStoreIsWiped"},
	{promise: "P2", what: "a store of another changelog is trusted", file: restoreFile,
		old: `	same := wm.Cluster == md.Cluster && wm.TopicID == [16]byte(detail.ID)`,
		new: `	same := wm.Cluster == md.Cluster`,
		by:  "pipeline/run: TestAStoreThatCannotBeTrustedIsWiped"},

	{promise: "P5", what: "a dead letter is not written", file: batchFile,
		old: `	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	if err := b.encode(source(in), mark); err != nil {`,
		new: `	if err := b.encode(source(in), mark); err != nil {`,
		by:  "pipeline/run: TestBadRecordsAreIsolated"},
	{promise: "P5", what: "what a bad record did is not taken back", file: batchFile,
		old: `	b.tx.Rollback(mark)
	b.out = b.out[:outs]
	if in == nil {`,
		new: `	_ = outs
	if in == nil {`,
		by: "pipeline/run: TestBadRecordsAreIsolated"},
	{promise: "P5", what: "a pause for the registry skips what waits for it", file: sessionFile,
		old: `		s.cl.SetOffsets(unavailable)
`,
		new: "",
		by:  "pipeline/run: TestRegistryAwayPauses"},
	{promise: "P5", what: "what nothing can be said of is a dead letter", file: "pipeline/run/input.go",
		old: `	case err == nil:
		return in, nil
	case errors.Is(err, registry.ErrUnavailable):
		return nil, err
	case errors.Is(err, registry.ErrUnknownSchema):`,
		new: `	case err == nil:
		return in, nil
	case errors.Is(err, registry.ErrUnavailable), errors.Is(err, registry.ErrUnknownSchema):`,
		by: "pipeline/run: TestRegistryAwayPauses"},
	{promise: "P5", what: "headers do not count as size", file: "pipeline/run/input.go",
		old: `		n += len(h.Key) + len(h.Value)
`,
		new: `		n += 0 * len(h.Key)
`,
		by: "pipeline/run: TestLargeHeadersAreOneDeadLetter"},
	{promise: "P5", what: "an event that is too large is not given up alone", file: "pipeline/task/task.go",
		old: `		err = tx.Fits(mark)
`,
		new: `		_ = tx.Fits(mark)
`,
		by: "pipeline/pipetest: large_event.txt"},
	{promise: "P5", what: "a write that is given up is no dead letter", file: resultFile,
		old: `	b.tx.Emit(schemas.TopicDeadLetters, pipeline.DeadLetterKey(d), d)
	b.ended.Errors++
`,
		new: `	b.ended.Errors++
	_ = d
`,
		by: "pipeline/pipetest: retry.txt"},

	{promise: "P9", what: "the outputs are not in the journal's hash", file: batchFile,
		old: `		b.buf = hashPart(h, b.buf, p.topic, true)
		b.buf = hashPart(h, b.buf, p.key, p.key != nil)
		b.buf = hashPart(h, b.buf, p.value, p.value != nil)
`,
		new: `		b.buf = hashPart(h, b.buf, p.topic, true)
`,
		by: "pipeline/run: TestReplayCatchesMapOrder"},
	{promise: "P9", what: "a task sees the machine's clock", file: batchFile,
		old: `	b.tx = pipeline.NewTx(b.partition, b.now, base)
`,
		new: `	b.tx = pipeline.NewTx(b.partition, time.Now().UnixMilli(), base)
`,
		by: "pipeline/run: TestReplay"},
	{promise: "P9", what: "state is written in the order of a map", file: "state/overlay.go",
		old: `	sort.Slice(ws, func(i, j int) bool { return ws[i].Key.b < ws[j].Key.b })
`,
		new: `	_ = sort.Strings
`,
		by: "state: TestWritesAreInTheOrderOfKeys"},
	{promise: "P9", what: "accounts are said in the order of a map", file: "pipeline/deliver/account.go",
		old: `	for _, provider := range b.d.order {
`,
		new: `	for provider := range b.d.profiles {
`,
		by: "pipeline/deliver: TestAccountsAreSaidInTheOrderOfProfiles"},
	{promise: "P9", what: "a retry waits by the machine's clock", file: resultFile,
		old: `	return b.again(e, b.tx.Now+wait+jitter(at.ID, e.Key, wait/4))
}

// jitter`,
		new: `	return b.again(e, b.tx.Now+wait+time.Now().UnixNano()%(wait/4))
}

// jitter`,
		also: "time",
		by:   "pipeline/pipetest: retry.txt"},
}
