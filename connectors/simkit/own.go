package simkit

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// MaxBody bounds the body of a request, in bytes.
const MaxBody = 8 << 20

// Split serves the simulator's own surface below /_sim/, and all else as the vendor.
func Split(own http.Handler, vendor http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			own.ServeHTTP(w, r)
			return
		}
		vendor(w, r)
	})
}

// Error answers a request of the own surface that is wrong.
func Error(w http.ResponseWriter, status int, text string) {
	WriteJSON(w, status, map[string]string{"error": text})
}

// ReadJSON decodes a request of the own surface; false means that it has been
// answered. Numbers in an any stay as they are written.
func ReadJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err == nil {
		err = strict(b, v)
	}
	if err != nil {
		Error(w, http.StatusBadRequest, "reading body: "+err.Error())
		return false
	}
	return true
}

func strict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// WriteJSON answers v. An answer that can't be written has no reader left, so its
// error has no receiver either.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := Marshal(v)
	if err != nil {
		http.Error(w, "encoding answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
