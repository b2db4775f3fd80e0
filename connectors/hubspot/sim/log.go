package sim

// logLine is a line of a portal's log: one JSON object, one write(2), one committed change. Exactly one member is set.
type logLine struct {
	Portal   *PortalConfig `json:"portal,omitempty"`   // the configuration; the last one counts
	Tx       *logTx        `json:"tx,omitempty"`       // a committed transaction and the webhook events it raised
	Property *logProperty  `json:"property,omitempty"` // a property was defined
	Webhook  *logWebhook   `json:"webhook,omitempty"`  // a delivery ended or failed

	Occurrence *occurrence `json:"occurrence,omitempty"` // an event on a contact was taken
}

type logTx struct {
	At      int64    `json:"t"` // ms
	Changes []change `json:"c"`
	Events  []*event `json:"e,omitempty"`
}

type logProperty struct {
	Object string    `json:"object"`
	Def    *property `json:"def"`
	// Archived: it was taken away.
	Archived bool `json:"archived,omitempty"`
}

// logWebhook says what became of some events: Attempt is the number of their next delivery, 0 if there will be none.
type logWebhook struct {
	Events  []int64 `json:"events"`
	Attempt int     `json:"attempt,omitempty"`
	Dropped bool    `json:"dropped,omitempty"`
}
