package config

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/pipeline/mapping"
	"github.com/crmstream/crmstream/schemas"
)

type node = map[string]any

// text, and so on, are the parts that a schema is made of.
func said(doc string) node               { return node{"type": "string", "description": doc} }
func truthOf(doc string) node            { return node{"type": "boolean", "description": doc} }
func oneOf(doc string, vs []string) node { return node{"enum": vs, "description": doc} }
func listOf(doc string, item any) node {
	return node{"type": "array", "items": item, "description": doc}
}
func either(doc string, forms ...any) node { return node{"anyOf": forms, "description": doc} }
func named(doc string, each any) node {
	return node{"type": "object", "additionalProperties": each, "description": doc}
}
func object(doc string, properties node, required ...string) node {
	n := node{"type": "object", "properties": properties, "additionalProperties": false, "description": doc}
	if len(required) > 0 {
		n["required"] = required
	}
	return n
}

var (
	plain  = node{"type": []string{"string", "number", "boolean"}}
	single = node{"type": []string{"string", "number", "boolean", "null"}}
	onOff  = node{"enum": []any{"off", "on", true, false}}
	number = node{"type": "number"}
)

// Schema returns the JSON Schema of a tenant's document, for editors: which settings
// there are, and what they may be. What only the whole tells, as whether a field is
// mapped twice, crmstream tenants lint says.
func Schema(providers []connectors.Provider) []byte {
	crms := make(node)
	for _, p := range providers {
		crms[p.Name()] = crmSchema(p)
	}
	names := slices.Sorted(maps.Keys(crms))
	s := object("A tenant of crmstream: what differs from the defaults.", node{
		"tenant":    said("Name of the tenant: 1 to 128 characters without / and blanks."),
		"timezone":  said("IANA name of the time zone, e.g. America/Los_Angeles. Default: UTC."),
		"country":   node{"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "Country of numbers without a country code, e.g. US."},
		"currency":  node{"type": "string", "pattern": "^[A-Za-z]{3}$", "description": "ISO 4217 code of amounts that say none. Default: USD."},
		"locale":    said("Order of day and month, sign before the cents, e.g. en-GB. Default: what can be read two ways is not read."),
		"primary":   oneOf("The CRM that counts where two say different things at one time.", names),
		"crm":       object("The tenant's CRMs.", crms),
		"mapping":   object("How fields go between dialer and CRM, line by line above the defaults.", lines()),
		"conflicts": named("Strategy by field of the dialer, and default.", oneOf("A strategy.", mapping.Strategies)),
		"dedupe":    listOf("How the person of a record is found, in this order.", dedupeSchema()),
		"dispositions": named("What each disposition of the dialer is: fields of the activity, by CRM where there are several; stage: OBJECT.STAGE or never.",
			named("", either("", single, named("", single)))),
		"calls":  callsSchema(),
		"owners": named("E-mail of a rep in the dialer: that of the same person in the CRM.", node{"type": "string"}),
		"events": named("What each kind of event becomes, by CRM.", named("", either("", oneOf("", mapping.EventTargets), node{"const": false},
			object("", node{"target": oneOf("What it becomes.", mapping.EventTargets), "object": said("The CRM's kind of record or event."),
				"fields": named("Field of the CRM: value of the event.", node{"type": "string"})}, "target")))),
		"stages": listOf("When deals are moved; the first that fits counts.", object("", node{"crm": oneOf("Name of the CRM; needed where there are several.", names),
			"object": said("Kind of record, e.g. Opportunity."), "when": named("What must be so, all of it.", plain), "to": said("The stage that it moves to."),
			"from": listOf("Stages that it may be moved out of.", node{"type": "string"})}, "object", "when", "to")),
	}, "tenant", "crm")
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"], s["definitions"] = "crmstream tenant", definitions()
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // it is made of texts and maps
	}
	return append(b, '\n')
}

func crmSchema(p connectors.Provider) node {
	scopes := make(node)
	for i := range p.Profile().Objects {
		conditions := said("Conditions with AND between them: FIELD = VALUE, != VALUE, IN (VALUE, …), NOT IN (…), IS SET, IS NOT SET.")
		scopes[p.Profile().Objects[i].Name] = either("Which records are synced.", node{"enum": []any{"off", false}}, conditions, object("", node{"where": conditions}, "where"))
	}
	return object("", node{
		"account":  node{"type": []string{"string", "integer"}, "description": "The account's id in the CRM."},
		"server":   said("Name of a server in the process's configuration."),
		"auth":     named("How to log in; secrets stand by reference, env:NAME or file:PATH.", plain),
		"settings": named("Further settings of the CRM.", plain),
		"scope":    object("Which records are synced.", scopes),
	}, "account", "auth")
}

// lines is a mapping by entity; what a line is stands in the definitions.
func lines() node {
	all := make(node)
	for name := range entities {
		all[name] = node{"$ref": "#/definitions/lines"}
	}
	return all
}

func definitions() node {
	rule := either("A rule.", node{"const": "required"}, object("", node{
		"required": node{"type": []string{"null", "boolean"}},
		"format":   said("Regular expression (RE2) that some part of the value matches."),
		"enum":     listOf("Values that may be.", plain),
		"length":   object("Characters.", node{"min": number, "max": number}),
		"range":    object("A number.", node{"min": number, "max": number}),
		"message":  said("What people are told."),
	}))
	arguments := make(node)
	names := make([]string, 0, len(mapping.Transforms))
	for _, t := range mapping.Transforms {
		switch t {
		case schemas.TransformCustom:
			arguments[t] = said("JavaScript expression; its input is called value.")
			continue
		case schemas.TransformPicklist:
			arguments[t] = named("Value of the dialer: value of the CRM, or a list of which the first is the way there.", either("", single, listOf("", single)))
			continue
		}
		names = append(names, t)
		args := make(node)
		for _, a := range mapping.Arguments(t) {
			args[a] = node{"type": "string"}
		}
		if len(args) > 0 {
			arguments[t] = object("Arguments.", args)
		}
	}
	test := object("", node{"in": single, "out": single, "error": truthOf("The value is to be refused.")})
	line := object("", node{
		"to":         either("OBJECT.FIELD, CRM.OBJECT.FIELD, or OBJECT alone; one or several.", node{"type": "string"}, listOf("", node{"type": "string"})),
		"direction":  oneOf("Which way values go.", mapping.Directions),
		"transform":  either("How a value of the CRM becomes one of the dialer.", oneOf("", names), node{"type": "object", "properties": arguments, "additionalProperties": false, "minProperties": 1, "maxProperties": 1}),
		"inverse":    said("JavaScript expression of the way back, of a custom transform."),
		"type":       oneOf("What the CRM's field holds.", mapping.Kinds),
		"required":   truthOf("Without a valid value the write is a dead letter."),
		"default":    node{"type": []string{"string", "number", "boolean"}, "description": "What a new record gets where there is no value."},
		"clears_crm": truthOf("An empty value of the dialer clears the CRM's."),
		"conflict":   oneOf("Strategy where both sides changed it.", mapping.Strategies),
		"max_length": node{"type": "integer", "minimum": 0, "description": "Characters that the CRM's field takes; more is cut."},
		"validate":   listOf("What a value must be like, all of it.", rule),
		"tests":      listOf("Examples: what the CRM has, and what the dialer gets.", test),
	})
	one := node{"$ref": "#/definitions/line"}
	return node{"line": line, "lines": named("By the dialer's name of the field.", either("A line, off, or a list where objects differ.", one, onOff, node{"type": "null"}, listOf("", one)))}
}

func dedupeSchema() node {
	steps := make(node)
	for _, s := range mapping.DedupeSteps {
		steps[s] = either("", oneOf("What a match does.", mapping.DedupeActions), object("", node{"action": oneOf("What a match does.", mapping.DedupeActions),
			"threshold": node{"type": "number", "minimum": 0, "maximum": 1, "description": "How alike names must be."}}))
	}
	return either("", oneOf("", mapping.DedupeSteps), node{"type": "object", "properties": steps, "additionalProperties": false, "minProperties": 1, "maxProperties": 1})
}

func callsSchema() node {
	return object("Which calls are logged, and how.", node{
		"min_seconds":     node{"type": "integer", "minimum": 0, "description": "Shortest call that is logged."},
		"default_owner":   said("E-mail of the CRM's user who owns the calls of unknown reps."),
		"skip":            listOf("Kinds of calls that are not logged, e.g. missed.", node{"type": "string"}),
		"skip_directions": listOf("Directions that are not logged.", oneOf("", mapping.CallDirections)),
		"log_before":      truthOf("Calls from before the CRM was connected are logged, too."),
		"create_lead":     truthOf("A call with an unknown number makes a lead."),
		"look_up":         truthOf("The CRMs are asked for an unknown number, each once a day; true where nothing is said."),
		"notes":           oneOf("How notes are laid out.", mapping.NotesLayouts),
		"recording":       oneOf("Which address of a recording the CRM gets.", mapping.RecordingLinks),
		"recording_base":  said("Address before /api/recordings/{id}/play."),
	})
}
