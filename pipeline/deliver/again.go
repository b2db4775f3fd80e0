package deliver

import (
	"slices"
	"strconv"

	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// off are the kinds of record of a CRM that a tenant syncs none of.
func off(c *schemas.TenantConfig, provider string) (objects []string) {
	for _, s := range c.Scopes {
		if s.Off && s.Provider == provider {
			objects = append(objects, s.Object)
		}
	}
	return objects
}

// beginAgain reads a source from its beginning once more.
func (b *box) beginAgain(provider, source string) error {
	a, ok, err := b.account(provider)
	if err != nil || !ok {
		return err
	}
	if i := slices.IndexFunc(a.Again, func(r rereading) bool { return r.Source == source }); i >= 0 {
		a.Again[i].Pages = 0
	} else {
		a.Again = append(a.Again, rereading{Source: source})
	}
	if a.State != "" { // else the first answer says all of it
		if err := b.publish(a); err != nil {
			return err
		}
	}
	b.saveAccount(a)
	if err := b.rewind(provider, source+profile.Again); err != nil {
		return err
	}
	return b.poll(provider, source+profile.Again)
}

// readAgain counts a page of a source that is read once more; the end is said at once.
func (b *box) readAgain(provider, source string, last bool) error {
	a, ok, err := b.account(provider)
	if err != nil || !ok {
		return err
	}
	i := slices.IndexFunc(a.Again, func(r rereading) bool { return r.Source == source })
	if i < 0 {
		return nil
	}
	if a.Again[i].Pages++; last {
		a.Again = slices.Delete(a.Again, i, i+1)
		err = b.publish(a)
	} else {
		err = b.refresh(a)
	}
	if err != nil {
		return err
	}
	b.saveAccount(a)
	return nil
}

// rereadings are for people: "Lead: 12 pages".
func (a *account) rereadings() (words []string) {
	for _, r := range a.Again {
		words = append(words, r.Source+": "+strconv.FormatInt(r.Pages, 10)+" pages")
	}
	return words
}
