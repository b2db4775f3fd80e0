package mapping

import (
	"slices"
	"strings"
	"time"

	"github.com/crmstream/crmstream/pipeline/near"
	"github.com/crmstream/crmstream/pipeline/phone"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// arg is an argument of a line's transform, "" if it has none of that name.
func arg(m *schemas.FieldMapping, name string) string {
	for i := range m.Args {
		if m.Args[i].Name == name && m.Args[i].Value != nil {
			return *m.Args[i].Value
		}
	}
	return ""
}

// transform sets what the line does with values; without a word of the tenant it stays that of
// the default.
func (k *compiler) transform(l, def *Line, m *schemas.FieldMapping) {
	name := m.Transform
	if name == "" && (len(m.Picklist) > 0 || m.Script != "" || len(m.Args) > 0) {
		name = l.Transform
	}
	if name == "" {
		return // as the default has it
	}
	if !slices.Contains(Transforms, name) {
		k.bad("transform", near.DidYouMean(name, Transforms), "unknown transform "+quote(name)+" for "+m.Entity+"."+m.Field)
		return
	}
	if l.Role == profile.Owner {
		k.bad("transform", "leave it out", m.Field+" is found by the CRM's users and takes no transform")
		return
	}
	for i := range m.Args {
		if !slices.Contains(argsOf[name], m.Args[i].Name) {
			mend := "leave it out: it takes nothing"
			if len(argsOf[name]) > 0 {
				mend = near.DidYouMean(m.Args[i].Name, argsOf[name])
			}
			k.bad("args", mend, "the transform "+name+" takes no "+quote(m.Args[i].Name))
		}
	}
	if m.Script != "" && name != schemas.TransformCustom || m.Inverse != "" && name != schemas.TransformCustom {
		k.bad("script", "transform: custom", m.Field+" has a script, but its transform is "+name)
	}
	if len(m.Picklist) > 0 && name != schemas.TransformPicklist {
		k.bad("picklist", "transform: picklist_map", m.Field+" has a picklist, but its transform is "+name)
	}
	if def == nil || name != def.Transform {
		l.checks = nil
	}
	l.Transform, l.script, l.back = name, "", ""
	switch name {
	case schemas.TransformNone:
		l.rule = nil
	case schemas.TransformPhone:
		country := strings.ToUpper(arg(m, "country"))
		if country != "" && !phone.KnownCountry(country) {
			k.bad("args", "two letters of ISO 3166, such as US or GB", "country is "+quote(country))
		}
		l.rule = phoneE164{country}
		if l.checks == nil {
			l.checks = phoneChecks
		}
		if l.Role == profile.Plain {
			l.Role = profile.Phone
		}
	case schemas.TransformDateISO:
		l.rule = dateISO{k.dates(m)}
	case schemas.TransformDateSFDC:
		l.rule = dateSFDC{k.dates(m)}
	case schemas.TransformYesNo:
		l.rule = yesNo{}
	case schemas.TransformCheckbox:
		l.rule = checkbox{}
	case schemas.TransformLowercase:
		l.rule = lowercase{}
	case schemas.TransformCents:
		currency, locale := strings.ToUpper(arg(m, "currency")), arg(m, "locale")
		if currency != "" && !KnownCurrency(currency) {
			k.bad("args", "three letters of ISO 4217, such as USD", "currency is "+quote(currency))
		}
		k.locale(locale)
		l.rule = cents{currency, locale}
	case schemas.TransformPicklist:
		k.picklist(l, m)
	case schemas.TransformCustom:
		k.custom(l, m)
	}
}

func (k *compiler) locale(l string) {
	if l != "" && !KnownLocale(l) {
		k.bad("args", "language and country, such as en-GB or de-DE", "locale is "+quote(l))
	}
}

func (k *compiler) dates(m *schemas.FieldMapping) (d dateReader) {
	d.format, d.locale = arg(m, "format"), arg(m, "locale")
	if _, ok := formats[d.format]; d.format != "" && !ok {
		k.bad("args", near.DidYouMean(d.format, Formats), "unknown format "+quote(d.format))
	}
	k.locale(d.locale)
	if name := arg(m, "zone"); name != "" {
		if d.zone = k.zone(name); d.zone == nil || d.zone == time.UTC && name != "UTC" {
			k.bad("args", "an IANA name, such as America/Los_Angeles", "unknown time zone "+quote(name))
		}
	}
	return d
}

func (k *compiler) picklist(l *Line, m *schemas.FieldMapping) {
	t := picklist{pairs: m.Picklist}
	l.rule = t
	if len(t.pairs) == 0 {
		k.bad("picklist", "transform: {picklist_map: {DIALER: CRM}}", m.Field+" has the transform picklist_map and no picklist")
	}
	for _, p := range t.pairs {
		if p.Dialer == "" || p.CRM == "" {
			k.bad("picklist", "a value on both sides", "the picklist of "+m.Field+" has an empty value")
			return
		}
	}
	if v := t.loop(); v != "" && l.Direction == profile.Bidirectional {
		k.bad("picklist", "give each value a way back to itself", "the picklist of "+m.Field+" goes in a loop: the CRM's "+quote(v)+" would come back as another value each time")
	}
}

// maxScript bounds the length of a script, in bytes.
const maxScript = 16 << 10

func (k *compiler) custom(l *Line, m *schemas.FieldMapping) {
	l.rule, l.script, l.back = custom{m.Script, m.Inverse}, m.Script, m.Inverse
	switch {
	case strings.TrimSpace(m.Script) == "":
		k.bad("script", `transform: {custom: "value.trim()"}`, m.Field+" has a custom transform without a script")
	case len(m.Script) > maxScript || len(m.Inverse) > maxScript:
		k.bad("script", "16 KiB at most", "the script of "+m.Field+" is too long")
	case l.Direction == profile.Bidirectional && strings.TrimSpace(m.Inverse) == "":
		k.bad("direction", "direction: inbound, or give inverse:", m.Entity+"."+m.Field+" is bidirectional, but its custom transform has no inverse")
	case l.Direction != profile.Bidirectional && m.Inverse != "":
		k.warn("inverse", "leave it out", m.Field+" is "+string(l.Direction)+": its inverse is never used")
	}
}
