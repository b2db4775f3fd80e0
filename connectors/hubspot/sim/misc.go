package sim

// Serves /crm/v3/properties/{type} (GET, POST) and /crm/v3/properties/{type}/{name} (GET, PATCH, DELETE), /crm/v3/owners (GET),
// /calling/v1/dispositions (GET) and /account-info/v3/details (GET).
//
// Deviations: groups are not checked; one that is archived and made anew under its name has the values of the old one; a change
// of type judges no value that is there.

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type disposition struct {
	ID      string `json:"id"`
	Label   string `json:"label"`
	Deleted bool   `json:"deleted"`
}

// dispositions are the six that every account has from the start.
var dispositions = []disposition{
	{"9d9162e7-6cf3-4944-bf63-4dff82258764", "Busy", false}, {"f240bbac-87c9-4f6e-bf70-924b57d47db7", "Connected", false},
	{"a4c4c377-d246-4b32-a13b-75a56a4cd0ff", "Left live message", false}, {"b2cf5968-551e-4856-9783-52b3da59a7d0", "Left voicemail", false},
	{"73a0d17f-1163-4015-bdd5-ec830791da20", "No answer", false}, {"17b47fee-58de-441e-a44c-c6300d46f273", "Wrong number", false},
}

func dispositionIDs() string {
	var ids []string
	for _, d := range dispositions {
		ids = append(ids, d.ID)
	}
	return strings.Join(ids, ",")
}

func (c *call) listDispositions() (int, any, error) { return http.StatusOK, dispositions, nil }

func (c *call) accountDetails() (int, any, error) {
	return http.StatusOK, map[string]any{"portalId": c.p.id, "accountType": "STANDARD", "timeZone": "UTC", "companyCurrency": "USD", "utcOffset": "+00:00",
		"utcOffsetMilliseconds": 0, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1"}, nil
}

func (c *call) routeProperties() handler {
	if len(c.segs) == 0 || typeNamed(c.segs[0]) == nil {
		return nil
	}
	switch {
	case len(c.segs) == 1 && c.r.Method == http.MethodGet:
		return (*call).listProperties
	case len(c.segs) == 1:
		return only(http.MethodPost, (*call).createProperty)
	case len(c.segs) == 2 && c.r.Method == http.MethodPatch:
		return (*call).changeProperty
	case len(c.segs) == 2 && c.r.Method == http.MethodDelete:
		return (*call).archiveProperty
	case len(c.segs) == 2:
		return only(http.MethodGet, (*call).oneProperty)
	}
	return nil
}

func (c *call) listProperties() (int, any, error) {
	tab := c.p.tables[typeNamed(c.segs[0])]
	list := make([]*property, 0, len(tab.props))
	for _, p := range tab.props {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *property) int { return strings.Compare(a.Name, b.Name) })
	return http.StatusOK, map[string]any{"results": list}, nil
}

func (c *call) oneProperty() (int, any, error) {
	p := c.p.tables[typeNamed(c.segs[0])].props[c.segs[1]]
	if p == nil {
		return 0, nil, notFound(c.segs[1])
	}
	return http.StatusOK, p, nil
}

func (c *call) createProperty() (int, any, error) {
	ot := typeNamed(c.segs[0])
	tab := c.p.tables[ot]
	if err := c.need("crm.schemas." + ot.scope + ".write"); err != nil {
		return 0, nil, err
	}
	var def property
	if err := decodeBody(c.body, &def); err != nil {
		return 0, nil, err
	}
	switch {
	case def.Name == "" || def.Label == "" || def.Type == "" || def.FieldType == "" || def.GroupName == "":
		return 0, nil, badRequest("name, label, type, fieldType and groupName are required")
	case tab.props[def.Name] != nil:
		e := newError(http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property named '%s' already exists.", def.Name)
		e.body.SubCategory = "Properties.PROPERTY_WITH_NAME_EXISTS"
		return 0, nil, e
	case def.HasUniqueValue && ot.name == "calls" && !c.p.cfg.UniqueCallProperty:
		return 0, nil, badRequest("hasUniqueValue is not supported for this object type")
	}
	if def.Options == nil {
		def.Options = []option{}
	}
	def.ModificationMetadata = &modification{Archivable: true}
	def.CreatedAt = instant(c.now.UnixMilli())
	def.UpdatedAt = def.CreatedAt
	return http.StatusCreated, &def, c.defined(ot, &def, false)
}

func (c *call) routeOwners() handler { return only(http.MethodGet, (*call).listOwners) }

func (c *call) listOwners() (int, any, error) {
	limit, err := c.limit(100, 500)
	if err != nil {
		return 0, nil, err
	}
	owner := func(o OwnerConfig) map[string]any {
		return map[string]any{"id": strconv.FormatInt(o.ID, 10), "email": o.Email, "type": "PERSON", "firstName": o.FirstName, "lastName": o.LastName,
			"userId": o.UserID, "userIdIncludingInactive": o.UserID, "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z", "archived": false}
	}
	if len(c.segs) == 1 && c.segs[0] != "" {
		for _, o := range c.p.cfg.Owners {
			if strconv.FormatInt(o.ID, 10) == c.segs[0] {
				return http.StatusOK, owner(o), nil
			}
		}
		return 0, nil, notFound(c.segs[0])
	}
	start, _ := strconv.ParseInt(c.q.Get("after"), 10, 64)
	owners := slices.Clone(c.p.cfg.Owners)
	slices.SortFunc(owners, func(a, b OwnerConfig) int { return int(a.ID - b.ID) })
	rows := []map[string]any{}
	out := map[string]any{}
	for _, o := range owners {
		if o.ID <= start || c.q.Get("email") != "" && !strings.EqualFold(o.Email, c.q.Get("email")) {
			continue
		}
		if len(rows) == limit {
			out["paging"] = paging{nextPage{After: rows[limit-1]["id"].(string)}}
			break
		}
		rows = append(rows, owner(o))
	}
	out["results"] = rows
	return http.StatusOK, out, nil
}
