package pipeline

// Fields is what the CRMs of a tenant say of the fields of their records, and how they
// are mapped. It is a view for people; nothing is decided by it.
type Fields struct {
	Tenant        string     `json:"tenant"`
	ConfigVersion int64      `json:"config_version"`
	Objects       []FieldsOf `json:"objects"` // described ones, and those that should be
}

// FieldsOf are the fields of one kind of record.
type FieldsOf struct {
	Provider string `json:"provider"`
	Account  string `json:"account"` // id of the CRM account
	Object   string `json:"object"`
	// Described is false where the CRM has not said anything of it, yet or at all.
	Described bool `json:"described"`
	// Left is how many more it has than can be shown.
	Left   int32       `json:"left,omitempty"`
	Fields []FieldView `json:"fields"` // by name
}

// FieldView is one field of a kind of record.
type FieldView struct {
	Name       string   `json:"name"`
	Label      string   `json:"label,omitempty"`
	Type       string   `json:"type,omitempty"` // the CRM's word; "" of one that is missing
	Kind       string   `json:"kind,omitempty"` // ours
	Length     int32    `json:"length,omitempty"`
	Creatable  bool     `json:"creatable"`
	Updatable  bool     `json:"updatable"`
	Required   bool     `json:"required,omitempty"`
	Custom     bool     `json:"custom,omitempty"`
	Formula    bool     `json:"formula,omitempty"`
	Values     []string `json:"values,omitempty"`
	MoreValues bool     `json:"more_values,omitempty"`
	// Missing: it is mapped, and the CRM does not have it.
	Missing bool        `json:"missing,omitempty"`
	Mapped  []MappedAs  `json:"mapped,omitempty"`
	Drift   *FieldDrift `json:"drift,omitempty"`
	// Proposal is the line of a tenant's document that would map it; "" of one that is mapped,
	// or can't be. Why says which field of the dialer it resembles; "" = none.
	Proposal string `json:"proposal,omitempty"`
	Why      string `json:"why,omitempty"`
}

// MappedAs is a line that a field is mapped by.
type MappedAs struct {
	Field     string `json:"field"` // the dialer's
	Direction string `json:"direction"`
	Default   bool   `json:"default,omitempty"` // it stands in the defaults
}

// FieldDrift is what is open about a mapped field on sync.conflicts.
type FieldDrift struct {
	Conflict string `json:"conflict"`
	What     string `json:"what"`
	Mend     string `json:"mend"`
	Since    int64  `json:"since"` // ms since 1970 UTC
}
