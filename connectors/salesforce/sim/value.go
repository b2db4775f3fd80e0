package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unique"
)

// A value is nil, string (texts, ids, dates as YYYY-MM-DD), bool, int64 (ints, and datetimes as Unix seconds: the stored resolution
// is the second) or float64.

const (
	restTime  = "2006-01-02T15:04:05.000-0700"
	eventTime = "2006-01-02T15:04:05.000Z"
	dateOnly  = "2006-01-02"
)

// timeLayouts are what clients send for a datetime. The fraction is accepted after the seconds by every layout.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05"}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// coerce turns a decoded JSON value (numbers as json.Number) into a value of the field, checking its kind and length.
// A string given to a text field as number or boolean is taken literally. An empty string is null.
func (f *field) coerce(raw any) (any, *apiError) {
	if raw == nil {
		return nil, nil
	}
	if s, ok := raw.(string); ok && s == "" && f.typ != tBoolean {
		return nil, nil
	}
	switch {
	case f.typ.text():
		s, ok := scalarText(raw)
		if !ok {
			return nil, f.cannotDeserialize(raw)
		}
		if utf8.RuneCountInString(s) > f.length {
			return nil, badRequest("STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", f.label, s, f.length), f.name)
		}
		if f.typ == tPicklist {
			s = unique.Make(s).Value() // few distinct values over many records
		}
		return s, nil
	case f.typ == tReference || f.typ == tID:
		s, ok := raw.(string)
		if !ok {
			return nil, f.cannotDeserialize(raw)
		}
		id, ok := canonicalID(s)
		if !ok {
			return nil, badRequest("MALFORMED_ID", f.label+": id value of incorrect type: "+s, f.name)
		}
		return unique.Make(id).Value(), nil
	case f.typ == tBoolean:
		switch v := raw.(type) {
		case bool:
			return v, nil
		case string:
			if b, err := strconv.ParseBool(v); err == nil {
				return b, nil
			}
		}
	case f.typ == tDate:
		if s, ok := raw.(string); ok {
			if _, err := time.Parse(dateOnly, s); err == nil {
				return s, nil
			}
			if t, ok := parseTime(s); ok {
				return t.UTC().Format(dateOnly), nil
			}
		}
	case f.typ == tDatetime:
		if s, ok := raw.(string); ok {
			if t, ok := parseTime(s); ok {
				return t.Unix(), nil
			}
		}
	case f.typ == tInt:
		if s, ok := scalarText(raw); ok {
			if n, err := strconv.ParseFloat(s, 64); err == nil && n == math.Trunc(n) && math.Abs(n) < math.MaxInt32 {
				return int64(n), nil
			}
		}
	case f.typ == tDouble || f.typ == tCurrency || f.typ == tPercent:
		if s, ok := scalarText(raw); ok {
			if n, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
				return n, nil
			}
		}
	}
	return nil, f.cannotDeserialize(raw)
}

func scalarText(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// cannotDeserialize is the parser's complaint about a JSON value of the wrong kind. It fails the whole request, a Collections
// request too, because it arises before any row is looked at.
func (f *field) cannotDeserialize(raw any) *apiError {
	kind, shown := "VALUE_STRING", fmt.Sprint(raw)
	switch raw.(type) {
	case json.Number:
		kind = "VALUE_NUMBER"
	case bool:
		kind = "VALUE_BOOLEAN"
	case map[string]any:
		kind, shown = "START_OBJECT", "{"
	case []any:
		kind, shown = "START_ARRAY", "["
	}
	return badRequest("JSON_PARSER_ERROR", fmt.Sprintf("Cannot deserialize instance of %s from %s value %s or request may be missing a required field", f.typ, kind, shown))
}

// appendREST appends a value as REST answers show it.
func appendREST(b []byte, f *field, v any) []byte {
	if t, ok := v.(int64); ok && f.typ == tDatetime {
		b = append(b, '"')
		b = time.Unix(t, 0).UTC().AppendFormat(b, restTime)
		return append(b, '"')
	}
	return appendScalar(b, f, v)
}

// appendEvent appends a value as CometD events show it.
func appendEvent(b []byte, f *field, v any) []byte {
	if t, ok := v.(int64); ok && f.typ == tDatetime {
		b = append(b, '"')
		b = time.Unix(t, 0).UTC().AppendFormat(b, eventTime)
		return append(b, '"')
	}
	return appendScalar(b, f, v)
}

func appendScalar(b []byte, f *field, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendDouble(b, v)
	}
	panic(fmt.Sprintf("value of %s has kind %T", f.name, v)) // coerce and fromLog make no other kind
}

// appendDouble writes doubles as the vendor does: always with a fraction, so 7 is 7.0.
func appendDouble(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendFloat(b, v, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func appendString(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x80 || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return append(b, q...)
}

// fromLog restores a value from the log, where datetimes are numbers.
func (f *field) fromLog(raw any) (any, error) {
	switch v := raw.(type) {
	case nil:
		return nil, nil
	case bool:
		return v, nil
	case string:
		if f.typ == tReference || f.typ == tPicklist {
			return unique.Make(v).Value(), nil
		}
		return v, nil
	case json.Number:
		if f.typ == tInt || f.typ == tDatetime {
			return v.Int64()
		}
		return v.Float64()
	}
	return nil, fmt.Errorf("field %s: unexpected value %v", f.name, raw)
}

// joinName joins the parts of a person's name.
func joinName(first, last any) any {
	f, _ := first.(string)
	l, _ := last.(string)
	if s := strings.TrimSpace(f + " " + l); s != "" {
		return s
	}
	return nil
}
