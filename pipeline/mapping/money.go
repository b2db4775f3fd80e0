package mapping

import (
	"math/big"
	"strings"
)

// exponents are the currencies whose smaller unit is not a hundredth; from ISO 4217.
var exponents = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0,
	"XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "CLF": 4, "UYW": 4,
}

func exponent(currency string) int {
	if n, ok := exponents[currency]; ok {
		return n
	}
	return 2
}

// symbols are signs of one currency alone.
var symbols = map[string]string{"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₪": "ILS", "₫": "VND", "₱": "PHP", "₺": "TRY", "₴": "UAH"}

// cents is an amount in the currency's units in the CRM, and in its smallest units,
// a whole number, in the dialer (B26).
type cents struct{ currency, locale string }

func (t cents) of(e *Env) string {
	switch {
	case t.currency != "":
		return t.currency
	case e.Currency != "":
		return e.Currency
	}
	return "USD"
}

func (t cents) forward(e *Env, v string) (string, error) {
	locale := t.locale
	if locale == "" {
		locale = e.Locale
	}
	currency := t.of(e)
	plain, err := plainAmount(strings.TrimSpace(v), currency, locale)
	if err != nil {
		return "", err
	}
	r, ok := new(big.Rat).SetString(plain)
	if !ok {
		return "", invalid("it is no amount")
	}
	r.Mul(r, new(big.Rat).SetInt(tenTo(exponent(currency))))
	if !r.IsInt() {
		return "", invalid("it is finer than the smallest unit of %s", currency)
	}
	if !r.Num().IsInt64() {
		return "", invalid("it is larger than any amount")
	}
	return r.Num().String(), nil
}

func (t cents) inverse(e *Env, v string) (string, error) {
	n, ok := new(big.Int).SetString(strings.TrimSpace(v), 10)
	if !ok || len(v) > 40 {
		return "", invalid("it is no whole number of the smallest unit")
	}
	x := exponent(t.of(e))
	return new(big.Rat).SetFrac(n, tenTo(x)).FloatString(x), nil
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// plainAmount takes the currency's sign or code and the signs between the digits out.
// An amount of another currency is none of this one (B31).
func plainAmount(v, currency, locale string) (string, error) {
	if len(v) > 40 {
		return "", invalid("it is no amount")
	}
	sign := ""
	if strings.HasPrefix(v, "-") {
		sign, v = "-", v[1:]
	}
	for symbol, code := range symbols {
		if strings.Contains(v, symbol) {
			if code != currency {
				return "", invalid("it is an amount in %s, not in %s", code, currency)
			}
			v = strings.Replace(v, symbol, "", 1)
		}
	}
	v = strings.TrimSpace(strings.Replace(v, "$", "", 1))
	for _, code := range []string{firstLetters(v), lastLetters(v)} {
		if len(code) == 3 {
			if !strings.EqualFold(code, currency) {
				return "", invalid("it is an amount in %s, not in %s", strings.ToUpper(code), currency)
			}
			v = strings.TrimSpace(strings.Replace(v, code, "", 1))
		}
	}
	if sign == "" && strings.HasPrefix(v, "-") {
		sign, v = "-", v[1:]
	}
	v = strings.Map(func(r rune) rune {
		if r == '\u00a0' || r == '\u202f' || r == '\'' || r == '’' {
			return -1
		}
		return r
	}, v)
	point, comma := strings.LastIndexByte(v, '.'), strings.LastIndexByte(v, ',')
	switch {
	case comma < 0 && locale != "" && decimalComma(locale) && grouped(v, "."):
		v = strings.ReplaceAll(v, ".", "")
	case comma < 0:
	case point < 0 && locale == "" && grouped(v, ","):
		return "", invalid("its comma may stand before thousands or before cents: set a locale")
	case point > comma, point < 0 && locale != "" && !decimalComma(locale):
		if whole, _, _ := strings.Cut(v, "."); !grouped(whole, ",") {
			return "", invalid("it is no amount")
		}
		v = strings.ReplaceAll(v, ",", "")
	default:
		whole, part, _ := strings.Cut(v, ",")
		if point >= 0 && !grouped(whole, ".") || strings.Contains(part, ",") {
			return "", invalid("it is no amount")
		}
		v = strings.ReplaceAll(whole, ".", "") + "." + part
	}
	if !decimal(v) {
		return "", invalid("it is no amount")
	}
	return sign + v, nil
}

// grouped reports whether v is digits in groups of three with sep between them.
func grouped(v, sep string) bool {
	groups := strings.Split(v, sep)
	for i, g := range groups {
		if !digits(g) || i > 0 && len(g) != 3 || i == 0 && (len(g) > 3 || g == "0" && len(groups) > 1) {
			return false
		}
	}
	return len(groups) > 1
}

// decimal reports whether v is digits, a point and digits, and a small exponent, as
// CRMs write large numbers.
func decimal(v string) bool {
	mantissa, exp, scientific := strings.Cut(strings.ToUpper(v), "E")
	if scientific {
		exp = strings.TrimPrefix(strings.TrimPrefix(exp, "+"), "-")
		if !digits(exp) || len(exp) > 2 {
			return false
		}
	}
	whole, part, has := strings.Cut(mantissa, ".")
	return digits(whole) && (!has || digits(part)) || whole == "" && digits(part)
}

func letter(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }

func firstLetters(v string) string {
	return v[:len(v)-len(strings.TrimLeftFunc(v, letter))]
}

func lastLetters(v string) string {
	return v[len(strings.TrimRightFunc(v, letter)):]
}

// KnownCurrency reports whether it is the form of a currency's code.
func KnownCurrency(c string) bool {
	if len(c) != 3 {
		return false
	}
	for i := range 3 {
		if c[i] < 'A' || c[i] > 'Z' {
			return false
		}
	}
	return true
}
