package schemas

import (
	"embed"
	"reflect"
)

//go:generate go run ./internal/avscgen .

//go:embed avsc/*.avsc
var avscFiles embed.FS

// AVSC returns the Avro schema of a record type; ok is false if there is none.
func AVSC(record string) (text string, ok bool) {
	b, err := avscFiles.ReadFile("avsc/" + record + ".avsc")
	return string(b), err == nil
}

var types = map[string]reflect.Type{
	"TenantConfig": reflect.TypeFor[TenantConfig](), "ControlAction": reflect.TypeFor[ControlAction](),
	"AttemptResult": reflect.TypeFor[AttemptResult](), "CRMChange": reflect.TypeFor[CRMChange](),
	"ContactChange": reflect.TypeFor[ContactChange](), "DialerEvent": reflect.TypeFor[DialerEvent](),
	"CallEvent": reflect.TypeFor[CallEvent](), "SyncContact": reflect.TypeFor[SyncContact](),
	"SyncAccount": reflect.TypeFor[SyncAccount](), "SyncOpportunity": reflect.TypeFor[SyncOpportunity](),
	"SyncCall": reflect.TypeFor[SyncCall](), "SyncRecord": reflect.TypeFor[SyncRecord](),
	"SyncConflict": reflect.TypeFor[SyncConflict](), "SyncHealth": reflect.TypeFor[SyncHealth](),
	"FieldChange": reflect.TypeFor[FieldChange](), "Attempt": reflect.TypeFor[Attempt](),
	"DeadLetter": reflect.TypeFor[DeadLetter](), "JournalEntry": reflect.TypeFor[JournalEntry](),
}

// New returns a new value of a record type as a pointer; nil if there is none.
func New(record string) any {
	t, ok := types[record]
	if !ok {
		return nil
	}
	return reflect.New(t).Interface()
}
