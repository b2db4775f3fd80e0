package sim

import "net/http"

// changeProperty changes what is said of a property: its label, its type, its options.
func (c *call) changeProperty() (int, any, error) {
	ot := typeNamed(c.segs[0])
	old := c.p.tables[ot].props[c.segs[1]]
	if err := c.need("crm.schemas." + ot.scope + ".write"); err != nil {
		return 0, nil, err
	}
	if old == nil {
		return 0, nil, notFound(c.segs[1])
	}
	var in struct {
		Label     *string  `json:"label"`
		Type      *string  `json:"type"`
		FieldType *string  `json:"fieldType"`
		Options   []option `json:"options"`
	}
	if err := decodeBody(c.body, &in); err != nil {
		return 0, nil, err
	}
	if m := old.ModificationMetadata; m != nil && m.ReadOnlyDefinition && (in.Type != nil || in.FieldType != nil) {
		return 0, nil, badRequest("The definition of property %s can't be changed", old.Name)
	}
	def := *old
	set := func(to, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&def.Label, in.Label)
	set(&def.Type, in.Type)
	set(&def.FieldType, in.FieldType)
	if in.Options != nil {
		def.Options = in.Options
	}
	def.UpdatedAt = instant(c.now.UnixMilli())
	return http.StatusOK, &def, c.defined(ot, &def, false)
}

// archiveProperty takes a property away that somebody made.
func (c *call) archiveProperty() (int, any, error) {
	ot := typeNamed(c.segs[0])
	old := c.p.tables[ot].props[c.segs[1]]
	if err := c.need("crm.schemas." + ot.scope + ".write"); err != nil {
		return 0, nil, err
	}
	switch {
	case old == nil:
		return 0, nil, notFound(c.segs[1])
	case old.ModificationMetadata != nil && !old.ModificationMetadata.Archivable:
		return 0, nil, badRequest("Property %s can't be archived", old.Name)
	}
	return http.StatusNoContent, nil, c.defined(ot, old, true)
}

// defined logs a definition and makes it the one in force.
func (c *call) defined(ot *objectType, def *property, archived bool) error {
	l := &logProperty{Object: ot.name, Def: def, Archived: archived}
	if _, err := c.p.log.Append(logLine{Property: l}); err != nil {
		return err
	}
	c.p.tables[ot].defined(l)
	return nil
}

func (t *table) defined(l *logProperty) {
	if l.Archived {
		delete(t.props, l.Def.Name)
		return
	}
	t.define(l.Def)
}
