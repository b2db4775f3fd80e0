package mapping

import (
	"strconv"
	"strings"
	"time"
)

// isoMillis is how the dialer has an instant.
const isoMillis = "2006-01-02T15:04:05.999Z"

// formats are those that a tenant may name for dates that a CRM keeps as text.
var formats = map[string]string{
	"MM/DD/YYYY": "01/02/2006", "DD/MM/YYYY": "02/01/2006", "DD.MM.YYYY": "02.01.2006", "YYYY/MM/DD": "2006/01/02", "YYYY-MM-DD": time.DateOnly, epochMillis: "",
}

// Formats are the names of these formats.
var Formats = []string{"DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "YYYY-MM-DD", "YYYY/MM/DD", epochMillis}

const epochMillis = "epoch_ms"

// dateReader reads dates.
type dateReader struct {
	format string // of Formats; "" = any that can be read one way only
	locale string // "" = the tenant's
	zone   *time.Location
}

// Years that a date may be in: a clock that was never set says 1970, which is one of
// them; what lies outside of these is refused by the CRMs, too.
const firstYear, lastYear = 1700, 4000

// read returns the instant; day is true where there is no time of the day in it, and
// the instant is then midnight UTC of the day.
func (d dateReader) read(e *Env, v string) (at time.Time, day bool, err error) {
	v = strings.TrimSpace(v)
	if len(v) > 40 {
		return at, false, invalid("it is no date")
	}
	at, day, err = d.parse(e, v)
	if err == nil && (at.Year() < firstYear || at.Year() > lastYear) {
		err = invalid("the year %d is not between %d and %d", at.Year(), firstYear, lastYear)
	}
	return at, day, err
}

func (d dateReader) parse(e *Env, v string) (time.Time, bool, error) {
	if layout := formats[d.format]; layout != "" {
		if at, err := time.Parse(layout, v); err == nil {
			return at, true, nil
		}
	}
	if ms, ok := millis(v); ok && d.format == epochMillis {
		return time.UnixMilli(ms).UTC(), false, nil
	}
	if digits(v) {
		return number(v)
	}
	if at, day, ok := d.iso(e, v); ok {
		return at, day, nil
	}
	for _, layout := range []string{"Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "2 January 2006", "2-Jan-2006"} {
		if at, err := time.Parse(layout, v); err == nil {
			return at, true, nil
		}
	}
	return d.numeric(e, v)
}

func digits(v string) bool {
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return v != ""
}

// millis reads milliseconds since 1970, or before: people are older than that.
func millis(v string) (int64, bool) {
	if !digits(strings.TrimPrefix(v, "-")) || len(v) > 15 {
		return 0, false
	}
	ms, err := strconv.ParseInt(v, 10, 64)
	return ms, err == nil
}

// number reads YYYYMMDD, or milliseconds since 1970.
func number(v string) (time.Time, bool, error) {
	switch len(v) {
	case 8:
		if at, err := time.Parse("20060102", v); err == nil {
			return at, true, nil
		}
	case 10:
		return time.Time{}, false, invalid("ten digits may be seconds or milliseconds")
	case 11, 12, 13, 14:
		if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
			return time.UnixMilli(ms).UTC(), false, nil
		}
	}
	return time.Time{}, false, invalid("it is no date")
}

// iso reads what ISO 8601 and the CRMs write.
func (d dateReader) iso(e *Env, v string) (at time.Time, day, ok bool) {
	if len(v) < 10 || v[4] != '-' || v[7] != '-' {
		return at, false, false
	}
	if len(v) == 10 {
		at, err := time.Parse(time.DateOnly, v)
		return at, true, err == nil
	}
	if v[10] == ' ' {
		v = v[:10] + "T" + v[11:]
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07"} {
		if at, err := time.Parse(layout, v); err == nil {
			return at.UTC(), false, true
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, v, d.in(e)); err == nil {
			return at.UTC(), false, true
		}
	}
	return at, false, false
}

func (d dateReader) in(e *Env) *time.Location {
	switch {
	case d.zone != nil:
		return d.zone
	case e.Zone != nil:
		return e.Zone
	}
	return time.UTC
}

// numeric reads three numbers with one sign between them, and a time of the day. Where
// the day may be the month, only the locale tells (B26).
func (d dateReader) numeric(e *Env, v string) (time.Time, bool, error) {
	none := invalid("it is no date")
	text, clock, timed := strings.Cut(v, " ")
	sep := strings.IndexAny(text, "/.-")
	if sep < 0 {
		return time.Time{}, false, none
	}
	parts := strings.Split(text, text[sep:sep+1])
	if len(parts) != 3 {
		return time.Time{}, false, none
	}
	var n [3]int
	for i, p := range parts {
		x, err := strconv.Atoi(p)
		if err != nil || !digits(p) {
			return time.Time{}, false, none
		}
		n[i] = x
	}
	locale := d.locale
	if locale == "" {
		locale = e.Locale
	}
	var y, m, day int
	switch a, b := n[0], n[1]; {
	case len(parts[0]) == 4 && len(parts[1]) <= 2 && len(parts[2]) <= 2:
		y, m, day = n[0], n[1], n[2]
	case len(parts[2]) != 4 || len(parts[0]) > 2 || len(parts[1]) > 2:
		return time.Time{}, false, invalid("it is no date with a year of four digits")
	case dateOrder(locale) == dayFirst:
		y, m, day = n[2], b, a
	case dateOrder(locale) == monthFirst:
		y, m, day = n[2], a, b
	case a > 12 || a == b:
		y, m, day = n[2], b, a
	case b > 12:
		y, m, day = n[2], a, b
	default:
		return time.Time{}, false, invalid("day and month can be taken for each other: set a locale")
	}
	at := time.Date(y, time.Month(m), day, 0, 0, 0, 0, time.UTC)
	if at.Year() != y || at.Month() != time.Month(m) || at.Day() != day {
		return time.Time{}, false, invalid("there is no such day")
	}
	if !timed {
		return at, true, nil
	}
	for _, layout := range []string{"15:04", "15:04:05", "3:04 PM", "3:04:05 PM"} {
		if c, err := time.Parse(layout, strings.ToUpper(strings.TrimSpace(clock))); err == nil {
			return time.Date(y, time.Month(m), day, c.Hour(), c.Minute(), c.Second(), 0, d.in(e)).UTC(), false, nil
		}
	}
	return time.Time{}, false, none
}

// dateISO is an instant in ISO 8601, UTC, in the dialer; what the CRM has may be text.
type dateISO struct{ dateReader }

func (t dateISO) forward(e *Env, v string) (string, error) {
	at, _, err := t.read(e, v)
	if err != nil {
		return "", err
	}
	return at.Format(isoMillis), nil
}

func (t dateISO) inverse(e *Env, v string) (string, error) {
	at, day, err := dateReader{zone: t.zone}.read(e, v)
	switch {
	case err != nil:
		return "", err
	case t.format == epochMillis:
		return strconv.FormatInt(at.UnixMilli(), 10), nil
	case t.format != "":
		return t.dayOf(e, at, day).Format(formats[t.format]), nil
	}
	return at.Format(isoMillis), nil
}

// dayOf is the day of an instant in the tenant's zone. Midnight UTC is a day without a
// time of it: so dateISO writes one.
func (d dateReader) dayOf(e *Env, at time.Time, day bool) time.Time {
	if day || at.Truncate(24*time.Hour).Equal(at) {
		return at
	}
	return at.In(d.in(e))
}

// dateSFDC is a day, as Salesforce has it, on both sides.
type dateSFDC struct{ dateReader }

func (t dateSFDC) forward(e *Env, v string) (string, error) {
	at, day, err := t.read(e, v)
	if err != nil {
		return "", err
	}
	return t.dayOf(e, at, day).Format(time.DateOnly), nil
}

func (t dateSFDC) inverse(e *Env, v string) (string, error) {
	at, day, err := dateReader{zone: t.zone}.read(e, v)
	if err != nil {
		return "", err
	}
	switch at = t.dayOf(e, at, day); t.format {
	case "":
		return at.Format(time.DateOnly), nil
	case epochMillis: // of the midnight UTC of the day, as CRMs keep days so
		return strconv.FormatInt(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC).UnixMilli(), 10), nil
	}
	return at.Format(formats[t.format]), nil
}
