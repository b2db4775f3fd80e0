package pipetest

import (
	"slices"

	"github.com/crmstream/crmstream/schemas"
)

// plain is what somebody would say who knows nothing of the code: who said what of one
// field, and when, since everybody last agreed; and which values may be in force in the
// end, whatever came in which order, however often.
type plain struct {
	strategy string
	words    []utterance
	// strict: nothing that anybody said was written anywhere before all of it was heard. Then
	// nobody saw the other.
	strict bool
	// decided: a person was asked, and took one side's.
	decided bool
}

// utterance is a value that a person typed, on one side, at a time. A CRM's record has one
// time for all its fields: what is read later may carry a later one.
type utterance struct {
	side, value string
	said, shown int64
}

// apart is by how much two times differ that are not the same to anybody (2 s).
const apart = 2000

// last returns the latest of what some sides said: several where their records' times do
// not tell.
func (p *plain) last(of func(side string) bool) (values []string, said int64) {
	for _, u := range p.words {
		if of(u.side) {
			said = max(said, u.said)
		}
	}
	for _, u := range p.words {
		if of(u.side) && u.shown+apart >= said {
			values = append(values, u.value)
		}
	}
	return values, said
}

func theDialer(side string) bool { return side == "dialer" }
func aCRM(side string) bool      { return side != "dialer" }
func anybody(string) bool        { return true }

// mayBe lists the values that may be in force; asked says that it may be a question
// instead, which a person answers.
func (p *plain) mayBe() (values []string, asked bool) {
	ours, ourTime := p.last(theDialer)
	theirs, theirTime := p.last(aCRM)
	all, _ := p.last(anybody)
	switch {
	case len(ours) == 0:
		return theirs, false
	case len(theirs) == 0:
		return ours, false
	}
	switch p.strategy {
	case schemas.CRMWins:
		if p.strict && theirTime > ourTime {
			return theirs, false
		}
		return slices.Concat(theirs, ours), false
	case schemas.DialerWins:
		if p.strict {
			return ours, false
		}
		return slices.Concat(theirs, ours), false
	case schemas.Manual:
		return slices.Concat(theirs, ours), true
	}
	return all, false
}

// undone says that CRMs may have undone one value often enough for a question.
func (p *plain) undone() bool {
	n := 0
	for _, u := range p.words {
		if aCRM(u.side) {
			n++
		}
	}
	return n >= 3
}
