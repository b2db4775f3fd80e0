package mapping

import (
	"regexp"
	"strings"
	"unicode"
)

func lowerRune(r rune) rune { return unicode.ToLower(r) }

// order in which a date's parts stand.
type order byte

const (
	unknownOrder order = iota
	dayFirst
	monthFirst
	yearFirst
)

var localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$`)

// KnownLocale reports whether it is the name of a locale whose dates can be read:
// "en" alone can't, since Britain and America differ.
func KnownLocale(l string) bool { return localeForm.MatchString(l) && l != "en" }

func split(locale string) (language, region string) {
	language, rest, _ := strings.Cut(locale, "-")
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		rest = rest[i+1:]
	}
	if len(rest) == 2 {
		region = rest
	}
	return language, region
}

func dateOrder(locale string) order {
	language, region := split(locale)
	switch {
	case language == "":
		return unknownOrder
	case region == "US" || region == "PH" || region == "FM" || region == "MH" || region == "PW":
		return monthFirst
	case language == "zh" || language == "ja" || language == "ko" || language == "hu" || language == "lt" || language == "mn" || language == "sv" && region != "FI" || region == "CA":
		return yearFirst
	}
	return dayFirst
}

// decimalComma reports whether amounts have a comma before their cents.
func decimalComma(locale string) bool {
	language, region := split(locale)
	switch language {
	case "en", "zh", "ja", "ko", "th", "he", "hi", "bn", "ta", "ms", "sw", "cy", "ga":
		return region == "ZA"
	}
	switch region {
	case "CH", "LI", "MX", "US", "PR", "GT", "HN", "NI", "SV", "DO", "PA", "PE":
		return false
	}
	return language != ""
}
