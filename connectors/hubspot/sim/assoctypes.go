package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// assocType is one direction of a kind of association. Only the vendor's own kinds exist here: a
// portal of the simulator has no user-defined labels.
type assocType struct {
	id       uint16
	reverse  uint16 // the same association seen from the other record
	from, to *objectType
	primary  bool // at most one for each record on the from side of 1 and 5
}

// assocTypes holds every direction by its id. 2, 4, 280, 342 and 6 are the reverse of captured ids.
var assocTypes = func() map[uint16]*assocType {
	m := make(map[uint16]*assocType)
	for _, d := range []assocType{
		{194, 193, callType, contactType, false},
		{182, 181, callType, companyType, false},
		{206, 205, callType, dealType, false},
		{279, 280, contactType, companyType, false},
		{1, 2, contactType, companyType, true},
		{3, 4, dealType, contactType, false},
		{341, 342, dealType, companyType, false},
		{5, 6, dealType, companyType, true},
	} {
		back := assocType{d.reverse, d.id, d.to, d.from, d.primary}
		m[d.id], m[back.id] = &d, &back
	}
	return m
}()

// name is what the v3 API calls the type: "call_to_contact".
func (a *assocType) name() string {
	n := a.from.singular + "_to_" + a.to.singular
	if !a.primary && a.hasPrimary() {
		n += "_unlabeled"
	}
	return n
}

// hasPrimary reports whether the pair of kinds also knows a primary association.
func (a *assocType) hasPrimary() bool {
	return (a.from == contactType || a.from == dealType) && a.to == companyType ||
		(a.to == contactType || a.to == dealType) && a.from == companyType
}

// label is nil for an unlabelled association.
func (a *assocType) label() *string {
	if !a.primary {
		return nil
	}
	s := "Primary"
	return &s
}

// defaultAssoc is the unlabelled type between two kinds, nil if there is none.
func defaultAssoc(from, to *objectType) *assocType {
	for _, a := range assocTypes {
		if a.from == from && a.to == to && !a.primary {
			return a
		}
	}
	return nil
}

// findAssoc looks a type up by number or v3 name and checks that it fits the two kinds.
func findAssoc(from, to *objectType, name string) *assocType {
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		if a := assocTypes[uint16(n)]; a != nil && a.from == from && a.to == to {
			return a
		}
		return nil
	}
	for _, a := range assocTypes {
		if a.from == from && a.to == to && strings.EqualFold(a.name(), name) {
			return a
		}
	}
	return nil
}

func invalidAssocType(category string, id int) *apiError {
	return badRequest("One or more associations are invalid").
		with("INVALID_ASSOCIATION_TYPE_ID", fmt.Sprintf("%s=%d is not a valid association definition id", category, id))
}

func invalidAssocTarget(t *objectType, id string) *apiError {
	return badRequest("One or more associations are invalid").
		with("INVALID_OBJECT_IDS", fmt.Sprintf("%s=%s is not valid", t.upper(), id))
}
