package sim

import (
	"strconv"
	"strings"
	"time"
)

// dateRange resolves a date literal to days [from, to) in the org's time zone, which is GMT here; the fiscal year is the calendar's.
func dateRange(literal string, now time.Time) (from, to time.Time, ok bool) {
	today := now.UTC().Truncate(24 * time.Hour)
	name, arg, hasArg := strings.Cut(literal, ":")
	name = strings.Replace(name, "FISCAL_", "", 1)
	if hasArg {
		n, err := strconv.Atoi(arg)
		if err != nil || n < 0 || n > 10_000 {
			return from, to, false
		}
		switch name {
		case "LAST_N_DAYS": // includes today
			return today.AddDate(0, 0, -n), today.AddDate(0, 0, 1), true
		case "NEXT_N_DAYS":
			return today.AddDate(0, 0, 1), today.AddDate(0, 0, n+1), true
		case "N_DAYS_AGO":
			return today.AddDate(0, 0, -n), today.AddDate(0, 0, 1-n), true
		}
		direction, unit, found := strings.Cut(name, "_N_")
		start, step, known := unitStart(strings.TrimSuffix(unit, "S"), today)
		switch {
		case !found || !known:
			return from, to, false
		case direction == "LAST":
			return step(start, -n), start, true
		case direction == "NEXT":
			return step(start, 1), step(start, n+1), true
		}
		return from, to, false
	}
	switch name {
	case "YESTERDAY":
		return today.AddDate(0, 0, -1), today, true
	case "TODAY":
		return today, today.AddDate(0, 0, 1), true
	case "TOMORROW":
		return today.AddDate(0, 0, 1), today.AddDate(0, 0, 2), true
	case "LAST_90_DAYS":
		return today.AddDate(0, 0, -90), today.AddDate(0, 0, 1), true
	case "NEXT_90_DAYS":
		return today.AddDate(0, 0, 1), today.AddDate(0, 0, 91), true
	}
	direction, unit, _ := strings.Cut(name, "_")
	start, step, known := unitStart(unit, today)
	if !known {
		return from, to, false
	}
	switch direction {
	case "THIS":
		return start, step(start, 1), true
	case "LAST":
		return step(start, -1), start, true
	case "NEXT":
		return step(start, 1), step(start, 2), true
	}
	return from, to, false
}

// unitStart is the first day of the calendar unit that day is in, and how to move by whole units.
func unitStart(unit string, day time.Time) (time.Time, func(time.Time, int) time.Time, bool) {
	months := func(m int) func(time.Time, int) time.Time {
		return func(t time.Time, n int) time.Time { return t.AddDate(0, n*m, 0) }
	}
	y, m, _ := day.Date()
	first := func(m time.Month) time.Time { return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC) }
	switch unit {
	case "WEEK": // begins on Sunday
		return day.AddDate(0, 0, -int(day.Weekday())), func(t time.Time, n int) time.Time { return t.AddDate(0, 0, 7*n) }, true
	case "MONTH":
		return first(m), months(1), true
	case "QUARTER":
		return first((m-1)/3*3 + 1), months(3), true
	case "YEAR":
		return first(time.January), months(12), true
	}
	return day, nil, false
}
