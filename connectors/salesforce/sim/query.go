package sim

// Serves GET /services/data/vNN.N/query and /queryAll with ?q=, and …/query/{locator}-{row} for the following pages.
// A result is a snapshot of the records as they were when the query ran. See soql_parse.go for the language.
//
// Deviations: a locator is lost with the process; its parents and children are read as they are when the page is; pages do not
// shrink for wide rows; a sub-select's rows come whole.

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPage = 2000
	minPage     = 200
)

// cursor is an open query result. It belongs to the session that ran the query: with another one's token its pages answer 401,
// a new login does not bring them back.
type cursor struct {
	plan    *plan
	rows    []*record
	page    int
	session string
	made    time.Time
}

func (c *call) query(all bool, segs []string) *apiError {
	if c.r.Method != http.MethodGet {
		return methodNotAllowed(c.r.Method, "GET,HEAD")
	}
	switch len(segs) {
	case 0:
		return c.firstPage(all)
	case 1:
		return c.nextPage(segs[0])
	}
	return notFound()
}

func (c *call) firstPage(all bool) *apiError {
	text := c.r.URL.Query().Get("q")
	if text == "" {
		return badRequest("MALFORMED_QUERY", "SOQL statements cannot be empty or null")
	}
	q, perr := parseSOQL(text)
	if perr != nil {
		return perr.answer(text)
	}
	c.o.mu.Lock()
	body, err := c.runQuery(q, all, text)
	c.o.mu.Unlock()
	if err != nil {
		return err
	}
	writeRaw(c.w, http.StatusOK, body)
	return nil
}

func (c *call) runQuery(q *soql, all bool, text string) ([]byte, *apiError) {
	p, perr := c.o.compile(q, all)
	if perr != nil {
		return nil, perr.answer(text)
	}
	rows := p.run()
	switch {
	case q.count:
		return append(appendTotal(nil, len(rows), true), `,"records":[]}`...), nil
	case len(p.aggs) > 0:
		b := append(appendTotal(nil, 1, true), `,"records":`...)
		return append(p.appendAggregates(b, rows), '}'), nil
	}
	cur := &cursor{plan: p, rows: rows, page: pageSize(c.r.Header.Get("Sforce-Query-Options")), session: c.ses.hash, made: c.s.now()}
	if len(rows) <= cur.page {
		return c.appendPage(cur, "", 0), nil
	}
	for locator, old := range c.o.cursors {
		if c.s.now().Sub(old.made) > cursorLife {
			delete(c.o.cursors, locator)
		}
	}
	locator := "0r8" + randomText(15)
	c.o.cursors[locator] = cur
	return c.appendPage(cur, locator, 0), nil
}

// pageSize reads batchSize from Sforce-Query-Options and keeps it within the allowed range.
func pageSize(options string) int {
	for opt := range strings.SplitSeq(options, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(opt), "="); ok && strings.EqualFold(k, "batchSize") {
			if n, err := strconv.Atoi(v); err == nil {
				return min(max(n, minPage), defaultPage)
			}
		}
	}
	return defaultPage
}

func (c *call) nextPage(name string) *apiError {
	locator, row, ok := strings.Cut(name, "-")
	from, err := strconv.Atoi(row)
	c.o.mu.Lock()
	cur := c.o.cursors[locator]
	if !ok || err != nil || cur == nil || from < 0 || from >= len(cur.rows) || c.s.now().Sub(cur.made) > cursorLife {
		c.o.mu.Unlock()
		return badRequest("INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	if cur.session != c.ses.hash {
		c.o.mu.Unlock()
		return invalidSession()
	}
	body := c.appendPage(cur, locator, from)
	c.o.mu.Unlock()
	writeRaw(c.w, http.StatusOK, body)
	return nil
}

// appendPage renders the page that begins at a row. The cursor stays, so a page can be asked for again.
func (c *call) appendPage(cur *cursor, locator string, from int) []byte {
	end := min(from+cur.page, len(cur.rows))
	b := appendTotal(nil, len(cur.rows), end == len(cur.rows))
	if end < len(cur.rows) {
		b = append(b, `,"nextRecordsUrl":"`...)
		b = append(b, c.base+"/query/"+locator+"-"+strconv.Itoa(end)...)
		b = append(b, '"')
	}
	b = append(b, `,"records":`...)
	b = cur.plan.appendRows(b, cur.rows[from:end], c.base)
	return append(b, '}')
}

func appendTotal(b []byte, total int, done bool) []byte {
	b = append(b, `{"totalSize":`...)
	b = strconv.AppendInt(b, int64(total), 10)
	b = append(b, `,"done":`...)
	return strconv.AppendBool(b, done)
}
