package salesforce_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmstream/crmstream/connectors"
	"github.com/crmstream/crmstream/connectors/salesforce"
	"github.com/crmstream/crmstream/schemas"
	"github.com/crmstream/crmstream/schemas/profile"
)

// Accounts and Opportunities are read by pages, by id and once more, and pushed.
func TestAccountsAndOpportunities(t *testing.T) {
	s, account, env, _ := start(t)
	company := s.write("Account", "", map[string]any{"Name": "Initech", "Industry": "Food"})
	deal := s.write("Opportunity", "", map[string]any{"Name": "20 seats", "StageName": "Closed Won", "Amount": 4800.5, "CloseDate": "2026-04-30", "AccountId": company})
	c, err := salesforce.Provider().Open(env, "acme", account)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	user := " OwnerId=005000000000001AAA"
	want := map[string]string{
		"Account":     company + " Industry=Food Name=Initech" + user,
		"Opportunity": deal + " AccountId=" + company + " Amount=4800.5 CloseDate=2026-04-30 IsClosed=true IsWon=true Name=20 seats" + user + " StageName=Closed Won",
	}
	for object, line := range want {
		for _, at := range []schemas.Attempt{
			{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: object, Limit: 10}},
			{Kind: schemas.KindPage, Page: &schemas.PageRequest{Source: object + profile.Again, Limit: 10}},
			{Kind: schemas.KindRead, Items: []schemas.AttemptItem{{Key: "k", ID: strings.Fields(line)[0]}}},
		} {
			at.ID, at.Provider, at.Account, at.Object = "1-1", "salesforce", org, object
			var got, causes []string
			ans := c.Do(t.Context(), &at, time.Now().Add(10*time.Second), func(_ context.Context, ch *schemas.CRMChange) error {
				got, causes = append(got, ch.ID+some(ch.Record.Fields)), append(causes, ch.Record.Cause)
				return nil
			})
			cause := schemas.KindRead
			if at.Page != nil {
				cause = schemas.CausePage
				if strings.HasSuffix(at.Page.Source, profile.Again) {
					cause = schemas.CauseAgain
				}
			}
			if ans.Result.Error != "" || !slices.Equal(got, []string{line}) || !slices.Equal(causes, []string{cause}) {
				t.Errorf("%s of %s: %q by %v, want %q by %s; %s %s", at.Kind, object, got, causes, line, cause, ans.Result.Error, ans.Result.Message)
			}
		}
	}
	stage, id := pushed(t, c.(connectors.Streamer), func(n int) {
		s.write("Opportunity", deal, map[string]any{"StageName": fmt.Sprint("Stage ", n)})
	})
	if id != deal || !strings.HasPrefix(stage, "Stage ") {
		t.Errorf("the event of %s has the stage %q, want one of %s", id, stage, deal)
	}
}

// pushed makes changes until one of them comes as an event.
func pushed(t *testing.T, c connectors.Streamer, change func(n int)) (stage, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-quit:
				return
			case <-tick.C:
				change(n)
			}
		}
	}()
	_ = c.Stream(ctx, 0, "", func(_ context.Context, ch *schemas.CRMChange) error {
		for _, f := range ch.Stream.Fields {
			if ch.Object == "Opportunity" && f.Name == "StageName" && f.Value != nil {
				stage, id = *f.Value, ch.ID
				cancel()
			}
		}
		return nil
	})
	close(quit)
	<-done
	return stage, id
}

// some are the fields that have a value.
func some(fs []schemas.Field) (line string) {
	for _, f := range fs {
		if f.Value != nil {
			line += " " + f.Name + "=" + *f.Value
		}
	}
	return line
}
