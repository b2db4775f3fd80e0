package main

import "slices"

// mutants is the table, promise by promise.
func mutants() []mutant {
	return slices.Concat(inKafka, towardsCRMs, apart, behaviours)
}

// Files that several mutants are of.
const (
	transactFile   = "pipeline/run/transact.go"
	restoreFile    = "pipeline/run/restore.go"
	batchFile      = "pipeline/run/batch.go"
	sessionFile    = "pipeline/run/session.go"
	ownershipFile  = "pipeline/run/ownership.go"
	deliverFile    = "pipeline/deliver/deliver.go"
	dispatchFile   = "pipeline/deliver/dispatch.go"
	resultFile     = "pipeline/deliver/result.go"
	pageFile       = "pipeline/deliver/page.go"
	hearFile       = "pipeline/sync/hear.go"
	diskFile       = "state/disk/disk.go"
	keyFile        = "state/key.go"
	hostFile       = "connectors/host/host.go"
	accountFile    = "connectors/host/account.go"
	convertFile    = "pipeline/sync/convert.go"
	uniteFile      = "pipeline/sync/unite.go"
	crmAccountFile = "pipeline/sync/account.go"
	eraseFile      = "pipeline/sync/erase.go"
	scopeFile      = "pipeline/sync/scope.go"
	doNotCallFile  = "pipeline/sync/donotcall.go"
	tableFile      = "pipeline/sync/table.go"
	conflictFile   = "pipeline/conflict/conflict.go"
	describedFile  = "pipeline/mapping/described.go"
)
