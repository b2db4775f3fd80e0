package script

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmstream/crmstream/pipeline/mapping"
)

func host(t testing.TB, o Options) *Host {
	t.Helper()
	h := New(o)
	t.Cleanup(h.Close)
	return h
}

func say(v string) *string { return &v }

func show(v *string) string {
	if v == nil {
		return "null"
	}
	return *v
}

func TestWhatGoesInAndComesOut(t *testing.T) {
	h := host(t, Options{})
	for _, tt := range []struct {
		src   string
		value *string
		want  string
	}{
		{"value.split(' ')[0]", say("Ann Lee"), "Ann"},
		{"value.split(' ')[0];", say("Ann Lee"), "Ann"},
		{"value", nil, "null"},
		{"value.length", say("Ünïcödé 😀"), "10"},
		{"value === 'x'", say("x"), "true"},
		{"1/3", nil, "0.3333333333333333"},
		{"-0", nil, "0"},
		{"1e21", nil, "1e+21"},
		{"0.0000001", nil, "1e-7"},
		{"123456789012", nil, "123456789012"},
		{"null", nil, "null"},
		{"value.match(/b(.)/)?.[1]", say("abc"), "c"},
		{"value.match(/b(.)/)?.[1]", say("xyz"), "null"}, // undefined is nothing, too
		{"(() => { const p = value.split(','); return p[1].trim() + ' ' + p[0] })()", say("Lee, Ann"), "Ann Lee"},
		{"value + '\\u0000!'", say("a\x00b"), "a\x00b\x00!"},
		{"'\\ud800' + value", say("x"), "\ufffdx"}, // half a character is none
		{"value // the end", say("x"), "x"},
	} {
		got, err := h.Run(tt.src, tt.value)
		if err != nil || show(got) != tt.want {
			t.Errorf("%s of %q: %q, %v, want %q", tt.src, show(tt.value), show(got), err, tt.want)
		}
	}
}

// What is wrong with a script or its answer is said, and is no cutting off.
func TestErrors(t *testing.T) {
	h := host(t, Options{})
	for src, want := range map[string]string{
		"value.split(":             "SyntaxError",
		"":                         "empty",
		"({a: value})":             "type object",
		"[value]":                  "type object",
		"() => value":              "type function",
		"10n":                      "type bigint",
		"Symbol()":                 "type symbol",
		"value.nothing.more":       "TypeError",
		"(() => { throw 'no' })()": "no",
		"0/0":                      "no number",
		"'x'.repeat(70000)":        "more than",
		"(() => { try { x() } catch { return 1 } })()": "try",
		"function f() {}; 1":                           "SyntaxError",
		"import('fs')":                                 "import",
		"(async () => 1)()":                            "async",
		"Promise.resolve(1)":                           "Promise",
		"new Function('return 1')()":                   "",
		"eval('1')":                                    "",
		"(() => {}).constructor('return 1')()":         "",
		"x = 1":                                        "",
		"globalThis.x = 1":                             "",
		"Array.prototype.x = 1":                        "",
		"String.prototype.trim = () => 'mine'":         "",
		"Math.random = () => 4":                        "",
		"throw 1":                                      "SyntaxError",
		strings.Repeat("a", 20_000):                    "more than",
	} {
		got, err := h.Run(src, say("v"))
		if err == nil || errors.Is(err, mapping.ErrCutOff) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %q, %v, want an error with %q", src, show(got), err, want)
		}
	}
	if got, err := h.Run("value", say(strings.Repeat("x", MaxValue+1))); err == nil {
		t.Errorf("a value that is too long: %d bytes", len(show(got)))
	}
	if wrong := h.Check("value.("); !strings.Contains(wrong, "SyntaxError") {
		t.Errorf("check: %q", wrong)
	}
	if wrong := h.Check("value.trim()"); wrong != "" {
		t.Errorf("check of a good one: %q", wrong)
	}
}

// Scripts that never end, eat memory or go too deep are cut off, and told apart; what
// comes after them runs as if nothing had been.
func TestCutOff(t *testing.T) {
	h := host(t, Options{Time: 50 * time.Millisecond, Memory: 4 << 20})
	for name, src := range map[string]string{
		"endless":        "(() => { for (;;); })()",
		"endless match":  "/^(a+)+$/.test('a'.repeat(40) + 'b')",
		"memory":         "(() => { const a = []; for (;;) a.push('x'.repeat(1000) + a.length); })()",
		"one large text": "'x'.repeat(100000000)",
		"depth":          "(() => { const f = () => f() + 1; return f(); })()",
		"sort":           "(() => { const a = Array.from({length: 100000}, (_, i) => i); for (;;) a.sort(() => 1); })()",
	} {
		start := time.Now()
		got, err := h.Run(src, say("v"))
		if !errors.Is(err, mapping.ErrCutOff) {
			t.Errorf("%s: %q, %v, want it cut off", name, show(got), err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if got, err := h.Run("value + 1", say("v")); err != nil || *got != "v1" {
			t.Errorf("after %s: %q, %v", name, show(got), err)
		}
	}
}

// Nothing of one call is left for another, and nothing tells when or where it runs.
func TestSameAnswerAlways(t *testing.T) {
	t.Setenv("TZ", "America/Los_Angeles")
	for src, want := range map[string]string{
		"Date.now() + Math.random()":                           "0",
		"new Date().toISOString()":                             "1970-01-01T00:00:00.000Z",
		"Date()":                                               "1970-01-01T00:00:00.000Z",
		"new Date(2024, 0, 15).toISOString()":                  "2024-01-15T00:00:00.000Z",
		"new Date('2024-01-15T10:00:00').getHours()":           "10",
		"new Date('01/15/2024').toISOString()":                 "2024-01-15T00:00:00.000Z",
		"new Date('2024-01-15T10:00:00+02:00').toISOString()":  "2024-01-15T08:00:00.000Z",
		"new Date('2024-07-01T00:00:00').getTimezoneOffset()":  "0",
		"String(new Date(0))":                                  "1970-01-01T00:00:00.000Z",
		"new Date('never').getTime() === 0":                    "false",
		"new Date(0) instanceof Date":                          "true",
		"new (new Date(0).constructor)().getTime()":            "0",
		"typeof WeakRef + typeof performance + typeof console": "undefinedundefinedundefined",
		"Object.isFrozen(globalThis) && Object.isFrozen(Array.prototype) && Object.isFrozen(Object.getPrototypeOf(function* () {}))": "true",
		"(/(.)/.test(value), RegExp.$1)": "null",
	} {
		for range 2 { // in two machines
			got, err := host(t, Options{}).Run(src, say("v"))
			if err != nil || show(got) != want {
				t.Errorf("%s: %q, %v, want %q", src, show(got), err, want)
			}
		}
	}
}

// All partitions call at once, and more scripts than are kept.
func TestManyAtOnce(t *testing.T) {
	h := host(t, Options{Machines: 2, Cached: 3})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				n := (g + i) % 7
				if got, err := h.Run(fmt.Sprintf("value + %d", n), say("v")); err != nil || *got != fmt.Sprint("v", n) {
					t.Errorf("%q, %v", show(got), err)
				}
			}
		}()
	}
	wg.Wait()
	if len(h.idle) > 2 {
		t.Errorf("%d machines are kept", len(h.idle))
	}
	for _, m := range h.idle {
		if len(m.byText) > 3 || m.used.Len() != len(m.byText) {
			t.Errorf("%d scripts are kept", len(m.byText))
		}
	}
}

func TestClosed(t *testing.T) {
	h := New(Options{})
	if _, err := h.Run("1", nil); err != nil {
		t.Fatal(err)
	}
	h.Close()
	if _, err := h.Run("1", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// Whatever a stranger writes as a script: an answer or an error, twice the same but for
// where it is cut off, and no panic.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"value.split(' ')[0]", "(() => { for (;;); })()", "({})", "`${value}`", "value.replace(/(a+)+$/, '')", "[...value].reverse().join('')", "1); x(); (2"} {
		f.Add(s, "Ann Lee")
	}
	h := New(Options{Time: 20 * time.Millisecond, Memory: 4 << 20})
	f.Fuzz(func(t *testing.T, src, value string) {
		a, errA := h.Run(src, &value)
		b, errB := h.Run(src, &value)
		if errors.Is(errA, mapping.ErrCutOff) || errors.Is(errB, mapping.ErrCutOff) {
			return
		}
		if show(a) != show(b) || (errA == nil) != (errB == nil) {
			t.Errorf("%q of %q: %q, %v and then %q, %v", src, value, show(a), errA, show(b), errB)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	for name, src := range map[string]string{"split": "value.split(' ')[0]", "regexp": "value.replace(/\\s+/g, ' ').trim().toUpperCase()", "body": "(() => { const p = value.split(' '); return p.length > 1 ? p[p.length - 1] + ', ' + p[0] : value })()"} {
		b.Run(name, func(b *testing.B) {
			h := host(b, Options{})
			v := "Ann Mary Lee"
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Run(src, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile is a script that is not kept.
func BenchmarkCompile(b *testing.B) {
	h := host(b, Options{Cached: 1})
	v, i := "Ann", 0
	for b.Loop() {
		i++
		if _, err := h.Run("value + "+fmt.Sprint(i), &v); err != nil {
			b.Fatal(err)
		}
	}
}
