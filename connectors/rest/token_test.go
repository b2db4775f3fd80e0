package rest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmstream/crmstream/schemas"
)

func TestTokensAreFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		ts := NewTokens(nil, func(context.Context, time.Time) (Token, error) {
			n++
			time.Sleep(time.Second)
			return Token{Access: strings.Repeat("t", n)}, nil
		})
		for range 20 {
			go func() {
				tok, err := ts.Get(t.Context(), time.Time{})
				if err != nil || tok.Access != "t" {
					t.Errorf("got %v, %v", tok, err)
				}
				ts.Refused(Token{Access: "older"})
			}()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// A refused credential is shown again after a pause that grows to a minute, however
// often a token is asked for; what else fails is tried again at once.
func TestRefusedCredentialIsNotShownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown []time.Duration
		began := time.Now()
		fail := error(&Error{Class: schemas.ErrAuth})
		ts := NewTokens(nil, func(context.Context, time.Time) (Token, error) {
			shown = append(shown, time.Since(began))
			return Token{Access: "t"}, fail
		})
		for range 300 {
			if _, err := ts.Get(t.Context(), time.Time{}); !errors.Is(err, fail) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		want := []time.Duration{0, 5 * time.Second, 15 * time.Second, 35 * time.Second, 75 * time.Second, 135 * time.Second, 195 * time.Second, 255 * time.Second}
		for i := range max(len(shown), len(want)) {
			if i >= len(shown) || i >= len(want) || shown[i] != want[i] {
				t.Fatalf("shown at %v, want %v", shown, want)
			}
		}
		fail = nil
		time.Sleep(time.Minute)
		if tok, err := ts.Get(t.Context(), time.Time{}); err != nil || tok.Access != "t" {
			t.Errorf("once it is good: %v, %v", tok, err)
		}
		ts.Refused(Token{Access: "t"})
		fail, shown = errors.New("no connection"), nil
		for range 3 {
			ts.Get(t.Context(), time.Time{})
		}
		if len(shown) != 3 {
			t.Errorf("%d tries without a connection", len(shown))
		}
	})
}
