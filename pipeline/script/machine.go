package script

import (
	"container/list"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"modernc.org/quickjs"

	"github.com/crmstream/crmstream/pipeline/mapping"
)

// errTime is the cutting off by the limit of time.
var errTime = fmt.Errorf("%w: it took too long", mapping.ErrCutOff)

// gcThreshold is at how many bytes the engine looks for cycles: the frozen objects of
// the language are looked through each time.
const gcThreshold = 4 << 20

// machine is one engine with the scripts that it has compiled. One call uses it at a
// time.
type machine struct {
	vm     *quickjs.VM
	cached int
	byText map[string]*list.Element // of *script
	used   list.List                // the last used first
	spoilt bool                     // it is not to be used again
}

type script struct {
	src string
	f   quickjs.Value
}

func newMachine(o Options) (*machine, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("starting the JavaScript engine: %w", err)
	}
	if _, err := vm.Eval(prelude, quickjs.EvalGlobal); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the JavaScript engine: %w", err), vm.Close())
	}
	vm.SetMemoryLimit(uintptr(o.Memory))
	vm.SetGCThreshold(gcThreshold)
	if o.Time > 0 {
		err = vm.SetEvalTimeout(o.Time)
	}
	return &machine{vm: vm, cached: o.Cached, byText: make(map[string]*list.Element)}, err
}

func (m *machine) close() {
	for e := m.used.Front(); e != nil; e = e.Next() {
		e.Value.(*script).f.Free()
	}
	_ = m.vm.Close() // it holds memory only
}

// compiled returns a script's function.
func (m *machine) compiled(src string) (f quickjs.Value, err error) {
	if e, ok := m.byText[src]; ok {
		m.used.MoveToFront(e)
		return e.Value.(*script).f, nil
	}
	text, err := wrap(src)
	if err != nil {
		return f, err
	}
	defer m.guard(&err)
	if f, err = m.vm.EvalValue(text, quickjs.EvalGlobal); err != nil {
		return f, m.said(err)
	}
	m.byText[src] = m.used.PushFront(&script{src, f})
	if m.used.Len() > m.cached {
		last := m.used.Back()
		old := m.used.Remove(last).(*script)
		delete(m.byText, old.src)
		old.f.Free()
	}
	return f, nil
}

// guard turns a panic of the engine into an error: the machine is lost, not the task.
func (m *machine) guard(err *error) {
	if p := recover(); p != nil {
		m.spoilt = true
		*err = fmt.Errorf("%w: the engine gave up: %v", mapping.ErrCutOff, p)
	}
}

func (m *machine) run(src string, value *string) (out *string, err error) {
	f, err := m.compiled(src)
	if err != nil {
		return nil, err
	}
	defer m.guard(&err)
	var arg any
	if value != nil {
		arg = *value
	}
	r, err := f.Call(quickjs.UndefinedValue, arg)
	if err != nil {
		return nil, m.said(err)
	}
	return text(r)
}

// maxWords bounds what is kept of a script's own words, in bytes.
const maxWords = 200

// said tells an error of the script from its being cut off.
func (m *machine) said(err error) error {
	var e *quickjs.Error
	if !errors.As(err, &e) {
		m.spoilt = true
		return fmt.Errorf("%w: %w", mapping.ErrCutOff, err)
	}
	if e.Name == "InternalError" || e.Name == "" && strings.HasPrefix(e.Error(), "InternalError") {
		m.spoilt = true
		if e.Message == "interrupted" {
			return errTime
		}
		return fmt.Errorf("%w: %s", mapping.ErrCutOff, e.Message)
	}
	words := e.Error()
	if len(words) > maxWords {
		words = strings.ToValidUTF8(words[:maxWords], "") + "…"
	}
	if e.LineNumber > 0 {
		return fmt.Errorf("%s (line %d)", words, e.LineNumber)
	}
	return errors.New(words)
}

// text is a result as text.
func text(r any) (*string, error) {
	var s string
	switch r := r.(type) {
	case nil, quickjs.Undefined:
		return nil, nil
	case string:
		s = r
	case bool:
		s = strconv.FormatBool(r)
	case int:
		s = strconv.Itoa(r)
	case float64:
		if math.IsNaN(r) || math.IsInf(r, 0) {
			return nil, errors.New("its result is no number that can be written")
		}
		s = numberText(r)
	default:
		return nil, fmt.Errorf("its result is a %T", r)
	}
	if len(s) > MaxValue {
		return nil, fmt.Errorf("its result has more than %d bytes", MaxValue)
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return &s, nil
}

// numberText writes a number as JavaScript does.
func numberText(f float64) string {
	if f == 0 {
		return "0"
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return mantissa + "e" + exp[:1] + strings.TrimLeft(exp[1:], "0")
}
