package demo

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	hssim "github.com/crmstream/crmstream/connectors/hubspot/sim"
	sfsim "github.com/crmstream/crmstream/connectors/salesforce/sim"
)

const (
	salesforce = "salesforce"
	hubspot    = "hubspot"
	appID      = 4711
	rep        = "rep@example.com"
	clientID   = "crmstream-demo"
)

// tenant is one customer of the dialer with one CRM account.
type tenant struct {
	name     string
	provider string
	account  string // org id or portal id
	url      string // of its simulator
	people   []person
	rules    string // what its configuration has beside its accounts
	// shown is what a title of the CRM is on sync.contacts; nil = the same.
	shown func(title string) string
}

// person is a record of the CRM that calls go to.
type person struct{ id, phone string }

func (t *tenant) portal() int64 {
	n, _ := strconv.ParseInt(t.account, 10, 64)
	return n
}

func (t *tenant) personObject() string {
	if t.provider == salesforce {
		return "Lead"
	}
	return "contacts"
}

func (t *tenant) callObject() (object, idField string) {
	if t.provider == salesforce {
		return "Task", "Dialer_Call_Id__c"
	}
	return "calls", "dialer_call_id"
}

// world is all tenants and their secrets.
type world struct {
	tenants   []*tenant
	publicKey string
	keyFile   string
	tokenFile map[string]string // by tenant
	tokens    map[string]string
	secretRef string
	secret    string
}

var names = []string{"acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka"}

// newWorld makes n tenants, every fourth on HubSpot, or those of mixed, with secrets in
// files of dir. A tenant with two CRMs stands there twice.
func newWorld(dir string, n int, mixed bool) (*world, error) {
	w := &world{tokenFile: map[string]string{}, tokens: map[string]string{}}
	dir = filepath.Join(dir, "secrets")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making %s: %w", dir, err)
	}
	if err := w.key(filepath.Join(dir, "salesforce.pem")); err != nil {
		return nil, err
	}
	var err error
	if w.secret, err = secretFile(filepath.Join(dir, "hubspot-app"), ""); err != nil {
		return nil, err
	}
	w.secretRef = "file:" + filepath.Join(dir, "hubspot-app")
	if mixed {
		w.tenants = mixedTenants()
		n = 0
	}
	for i := range n {
		t := &tenant{name: fmt.Sprintf("tenant-%03d", i+1), provider: salesforce, account: fmt.Sprintf("00D5g0000%06dEAA", i+1)}
		if i < len(names) {
			t.name = names[i]
		}
		if i%4 == 1 {
			t.provider, t.account = hubspot, strconv.Itoa(50_000_001+i)
		}
		w.tenants = append(w.tenants, t)
	}
	for _, t := range w.tenants {
		if t.provider != hubspot {
			continue
		}
		path := filepath.Join(dir, "hubspot-"+t.name)
		if w.tokens[t.name], err = secretFile(path, "pat-na1-"); err != nil {
			return nil, err
		}
		w.tokenFile[t.name] = path
	}
	return w, nil
}

// first is where the tenant of an account stands first: with two CRMs both have the same
// people.
func (w *world) first(t *tenant) int {
	return slices.IndexFunc(w.tenants, func(o *tenant) bool { return o.name == t.name })
}

// accounts are those of one tenant.
func (w *world) accounts(name string) (as []*tenant) {
	for _, t := range w.tenants {
		if t.name == name {
			as = append(as, t)
		}
	}
	return as
}

func secretFile(path, prefix string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	s := prefix + rand.Text()
	if err := os.WriteFile(path, []byte(s+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing a secret: %w", err)
	}
	return s, nil
}

func (w *world) key(path string) error {
	w.keyFile = path
	b, err := os.ReadFile(path)
	var key *rsa.PrivateKey
	switch {
	case err == nil:
		block, _ := pem.Decode(b)
		if block == nil {
			return fmt.Errorf("%s holds no key: remove it", path)
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		key = k.(*rsa.PrivateKey)
	case errors.Is(err, os.ErrNotExist):
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			return fmt.Errorf("writing a key: %w", err)
		}
	default:
		return fmt.Errorf("reading %s: %w", path, err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	w.publicKey = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return nil
}

func (w *world) orgs() []sfsim.OrgConfig {
	var orgs []sfsim.OrgConfig
	for i, t := range w.tenants {
		if t.provider == salesforce {
			orgs = append(orgs, sfsim.OrgConfig{ID: t.account,
				Users: []sfsim.UserConfig{
					{ID: fmt.Sprintf("0055g0000%06dAAA", 2*i+1), Username: "sync@" + t.name + ".example", Email: "sync@" + t.name + ".example", Name: "Sync"},
					{ID: fmt.Sprintf("0055g0000%06dAAA", 2*i+2), Username: "rep@" + t.name + ".example", Email: rep, Name: "Rep"}},
				Apps: []sfsim.AppConfig{{ClientID: clientID, PublicKeyPEM: w.publicKey}}})
		}
	}
	return orgs
}

func (w *world) portals() []hssim.PortalConfig {
	var portals []hssim.PortalConfig
	for i, t := range w.tenants {
		if t.provider == hubspot {
			portals = append(portals, hssim.PortalConfig{ID: t.portal(), UniqueCallProperty: true,
				Tokens: []hssim.TokenConfig{{Token: w.tokens[t.name], AppID: appID}},
				Owners: []hssim.OwnerConfig{{ID: int64(1000 + i), UserID: int64(2000 + i), Email: rep, FirstName: "Rep", LastName: "One"}},
				App:    &hssim.AppConfig{ID: appID, ClientSecret: w.secret, Subscriptions: subscriptions()}})
		}
	}
	return portals
}

func subscriptions() []string {
	s := []string{"contact.creation", "contact.deletion"}
	for _, p := range []string{"firstname", "lastname", "email", "phone", "mobilephone", "company", "jobtitle", "hs_lead_status", "hubspot_owner_id"} {
		s = append(s, "contact.propertyChange:"+p)
	}
	return s
}

// documents are the tenants' configurations, as a person would write them.
func (w *world) documents() string {
	var b strings.Builder
	for i, t := range w.tenants {
		if w.first(t) == i {
			fmt.Fprintf(&b, "---\ntenant: %s\ntimezone: America/Los_Angeles\ncountry: US\n%scrm:\n", t.name, t.rules)
			for _, a := range w.accounts(t.name) {
				w.account(&b, a)
			}
		}
	}
	return b.String()
}

func (w *world) account(b *strings.Builder, t *tenant) {
	fmt.Fprintf(b, "  %s:\n    account: %q\n    server: %s\n", t.provider, t.account, t.provider)
	if t.provider == salesforce {
		fmt.Fprintf(b, "    auth: {flow: jwt, username: sync@%s.example, client_id: %s, key: %q}\n", t.name, clientID, "file:"+w.keyFile)
	} else {
		fmt.Fprintf(b, "    auth: {flow: token, token: %q}\n    settings: {call_identity: dialer_call_id}\n", "file:"+w.tokenFile[t.name])
	}
}
