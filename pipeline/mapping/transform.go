package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
)

// Env is what a transform knows beside the value: the tenant's country, currency,
// locale and time zone.
type Env struct {
	Country  string // ISO 3166 alpha-2
	Currency string // ISO 4217; "" = USD
	Locale   string // BCP 47; "" = what can be read two ways is not read
	Zone     *time.Location
	Scripts  Scripts // nil = custom transforms are errors
}

// Scripts runs the expressions of custom transforms.
type Scripts interface {
	// Run evaluates the expression with value, nil being null, and returns its result as
	// text, nil for null. Same arguments, same answer; where the host had to cut it off
	// by a limit of its own, which another run might not reach, the error is ErrCutOff.
	Run(src string, value *string) (*string, error)
}

// ErrCutOff is wrapped where a script was cut off by a limit that is no property of
// the script and its value alone: of time or memory. It must not be decided anew at a
// replay.
var ErrCutOff = errors.New("the script was cut off")

// Invalid says why a value can't be taken as it is. It quotes no value.
type Invalid struct{ Why string }

// Error implements error.
func (e *Invalid) Error() string { return e.Why }

func invalid(format string, args ...any) error { return &Invalid{fmt.Sprintf(format, args...)} }

// maxValue bounds what a transform but for none looks at, in bytes: more is no date,
// number or e-mail address.
const maxValue = 4096

// transform is one rule of the table of transforms. Values are never empty.
type transform interface {
	// forward turns the CRM's value into the dialer's.
	forward(e *Env, v string) (string, error)
	// inverse turns the dialer's value into the CRM's.
	inverse(e *Env, v string) (string, error)
}

// phoneE164 writes a number in E.164. The way back leaves it as it is: the CRM's own
// spelling is never made anew (B25), since values are compared by number.
type phoneE164 struct{ country string }

func (t phoneE164) forward(e *Env, v string) (string, error) {
	country := t.country
	if country == "" {
		country = e.Country
	}
	if n := phone.E164(strings.TrimSpace(v), country); n != "" {
		return n, nil
	}
	return "", invalid("Invalid E.164 phone")
}

func (t phoneE164) inverse(e *Env, v string) (string, error) { return t.forward(e, v) }

// lowercase writes a text in small letters.
type lowercase struct{}

func (lowercase) forward(_ *Env, v string) (string, error) {
	if v = Lower(strings.TrimSpace(v)); v == "" {
		return "", invalid("it is blank")
	}
	return v, nil
}

func (t lowercase) inverse(e *Env, v string) (string, error) { return t.forward(e, v) }

// yesNo is Y or N in the CRM, true or false in the dialer.
type yesNo struct{}

func (yesNo) forward(_ *Env, v string) (string, error) {
	yes, ok := Truth(v)
	if !ok {
		return "", invalid("it is neither Y nor N")
	}
	return strconv.FormatBool(yes), nil
}

func (yesNo) inverse(_ *Env, v string) (string, error) {
	b, err := truth(v)
	if err != nil {
		return "", err
	}
	if b == "true" {
		return "Y", nil
	}
	return "N", nil
}

// checkbox is a truth value on both sides, in one spelling.
type checkbox struct{}

func (checkbox) forward(_ *Env, v string) (string, error) { return truth(v) }
func (checkbox) inverse(_ *Env, v string) (string, error) { return truth(v) }

func truth(v string) (string, error) {
	yes, ok := Truth(v)
	if !ok {
		return "", invalid("it is neither true nor false")
	}
	return strconv.FormatBool(yes), nil
}

// Truth reads a truth value in any of the words that CRMs, imports and people have for
// it; ok is false for any other.
func Truth(v string) (yes, ok bool) {
	switch Lower(strings.TrimSpace(v)) {
	case "true", "1", "yes", "y":
		return true, true
	case "false", "0", "no", "n":
		return false, true
	}
	return false, false
}

// custom is a tenant's own script. There is a way back only where the tenant wrote it.
type custom struct{ script, back string }

func (t custom) forward(e *Env, v string) (string, error) { return run(e, t.script, v) }
func (t custom) inverse(e *Env, v string) (string, error) { return run(e, t.back, v) }

func run(e *Env, src, v string) (string, error) {
	if e.Scripts == nil || src == "" {
		return "", invalid("there is no script for this way")
	}
	out, err := e.Scripts.Run(src, &v)
	switch {
	case errors.Is(err, ErrCutOff):
		return "", err
	case err != nil:
		return "", &Invalid{"its script: " + err.Error()}
	case out == nil:
		return "", nil
	}
	return *out, nil
}

// Lower returns s in small letters. A letter outside of ASCII whose small form is in
// it stays: "K" for kelvin is no "k", or two addresses that differ would be one.
func Lower(s string) string {
	ascii, small := true, true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
		small = small && (s[i] < 'A' || s[i] > 'Z')
	}
	switch {
	case ascii && small:
		return s
	case ascii:
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		small := lowerRune(r)
		if r >= 0x80 && small < 0x80 {
			return r
		}
		return small
	}, s)
}

// argsOf are the arguments that a transform takes.
var argsOf = map[string][]string{
	schemas.TransformNone: {}, schemas.TransformLowercase: {}, schemas.TransformYesNo: {}, schemas.TransformCheckbox: {},
	schemas.TransformPhone: {"country"}, schemas.TransformDateISO: {"format", "locale", "zone"}, schemas.TransformDateSFDC: {"format", "locale", "zone"},
	schemas.TransformCents: {"currency", "locale"}, schemas.TransformPicklist: {}, schemas.TransformCustom: {},
}

// Transforms are the names of all transforms, in the order of their table.
var Transforms = []string{schemas.TransformNone, schemas.TransformPhone, schemas.TransformDateISO, schemas.TransformDateSFDC, schemas.TransformYesNo,
	schemas.TransformCheckbox, schemas.TransformLowercase, schemas.TransformPicklist, schemas.TransformCents, schemas.TransformCustom}

// Arguments are the names of the arguments that a transform takes, sorted.
func Arguments(transform string) []string { return argsOf[transform] }
