package sim

import (
	"fmt"
	"math"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkProps turns the properties of a request into stored values, or tells of all that are not valid. Values that are read-only,
// unknown or of the wrong type are refused, e-mails lowercased, datetimes made milliseconds.
func (p *portal) checkProps(t *table, in map[string]text, old *record) (map[string]string, error) {
	out := make(map[string]string, len(in))
	var bad []invalidValue
	for name, v := range in {
		def := t.props[name]
		value, code, message := "", "", ""
		if def == nil {
			code, message = "PROPERTY_DOESNT_EXIST", fmt.Sprintf("Property %q does not exist", name)
		} else {
			value, code, message = p.checkValue(t, def, string(v), old)
		}
		if code != "" {
			bad = append(bad, invalidValue{Message: message, Error: code, Name: name, LocalizedMessage: message, PortalID: p.id})
			continue
		}
		out[name] = value
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b invalidValue) int { return strings.Compare(a.Name, b.Name) })
		return nil, invalidValues(bad)
	}
	if t.ot.name == "contacts" && old != nil {
		if to, ok := out["lifecyclestage"]; ok && to != "" && slices.Index(stages, to) < slices.Index(stages, old.props["lifecyclestage"]) {
			delete(out, "lifecyclestage") // the stage only moves forward; the write is dropped without a word
		}
	}
	return out, nil
}

// checkValue returns a value as it is stored, or the code and text of what is wrong with it.
func (p *portal) checkValue(t *table, def *property, v string, old *record) (value, code, message string) {
	switch {
	case def.readOnly():
		return "", "READ_ONLY_VALUE", fmt.Sprintf("%q is a read only property; its value cannot be set.", def.Name)
	case v == "":
		return "", "", ""
	case def.Name == "email" && t.ot.name == "contacts":
		v = strings.ToLower(strings.TrimSpace(v))
		if a, err := mail.ParseAddress(v); err != nil || a.Address != v {
			return "", "INVALID_EMAIL", fmt.Sprintf("Email address %s is invalid", v)
		}
		return v, "", ""
	case def.Name == "hubspot_owner_id":
		if !slices.ContainsFunc(p.cfg.Owners, func(o OwnerConfig) bool { return strconv.FormatInt(o.ID, 10) == v }) {
			return "", "INVALID_OPTION", fmt.Sprintf("%s was not one of the allowed options", v)
		}
		return v, "", ""
	}
	switch def.Type {
	case "number":
		if n, err := strconv.ParseFloat(v, 64); err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return "", "INVALID_LONG", v + " was not a valid long."
		}
	case "datetime":
		ms, ok := parseInstant(v)
		if !ok {
			return "", "INVALID_DATE", v + " was not a valid date."
		}
		return strconv.FormatInt(ms, 10), "", ""
	case "date":
		ms, ok := parseInstant(v)
		if !ok {
			return "", "INVALID_DATE", v + " was not a valid date."
		}
		at := time.UnixMilli(ms).UTC()
		if at.Truncate(24*time.Hour) != at {
			return "", "INVALID_DATE", fmt.Sprintf("%s is at %s UTC, not midnight!", v, at.Format("15:04:05.000"))
		}
		return at.Format(time.DateOnly), "", ""
	case "enumeration", "bool":
		if def.FieldType == "checkbox" && v[0] == ';' && old != nil && old.props[def.Name] != "" {
			v = old.props[def.Name] + v // a leading semicolon appends
		}
		values := []string{v}
		if def.FieldType == "checkbox" {
			values = strings.Split(strings.Trim(v, ";"), ";")
			slices.Sort(values)
			values = slices.Compact(values)
		}
		for _, one := range values {
			if len(def.Options) > 0 && !slices.ContainsFunc(def.Options, func(o option) bool { return o.Value == one }) {
				names := make([]string, len(def.Options))
				for i, o := range def.Options {
					names[i] = o.Value
				}
				return "", "INVALID_OPTION", fmt.Sprintf("%s was not one of the allowed options: [%s]", one, strings.Join(names, ", "))
			}
		}
		return strings.Join(values, ";"), "", ""
	}
	return v, "", ""
}

// parseInstant reads epoch milliseconds, an ISO 8601 instant or a date.
func parseInstant(v string) (ms int64, ok bool) {
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
		return ms, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", time.DateOnly} {
		if at, err := time.Parse(layout, v); err == nil {
			return at.UnixMilli(), true
		}
	}
	return 0, false
}

// shown renders a stored value as REST answers do.
func (t *table) shown(name, v string) string {
	if def := t.props[name]; def != nil && def.Type == "datetime" {
		if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
			return instant(ms)
		}
	}
	return v
}
