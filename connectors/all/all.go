// Package all lists the CRMs that the program speaks to: one line per system.
package all

import (
	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/hubspot"
	"github.com/crmstream/crmstream/connectors/salesforce"
)

// Providers returns every provider. The caller owns the slice.
func Providers() []connectors.Provider {
	return []connectors.Provider{
		hubspot.Provider(),
		salesforce.Provider(),
	}
}
