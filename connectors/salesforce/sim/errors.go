package sim

import (
	"encoding/json"
	"net/http"
)

// apiError is one entry of a REST error body. Inside Collections the code is spelled statusCode, as an HTTP answer errorCode.
type apiError struct {
	status  int
	code    string
	message string
	fields  []string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func badRequest(code, message string, fields ...string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: message, fields: fields}
}

func notFound() *apiError {
	return &apiError{status: http.StatusNotFound, code: "NOT_FOUND", message: "The requested resource does not exist"}
}

// noSuchKey is the answer to an external id, or an id that is none, which matches no record.
func noSuchKey(value string) *apiError {
	return &apiError{status: http.StatusNotFound, code: "NOT_FOUND",
		message: "Provided external ID field does not exist or is not accessible: " + value}
}

func entityDeleted() *apiError {
	return &apiError{status: http.StatusNotFound, code: "ENTITY_IS_DELETED", message: "entity is deleted", fields: []string{}}
}

func invalidSession() *apiError {
	return &apiError{status: http.StatusUnauthorized, code: "INVALID_SESSION_ID", message: "Session expired or invalid"}
}

func limitExceeded() *apiError {
	return &apiError{status: http.StatusForbidden, code: "REQUEST_LIMIT_EXCEEDED", message: "TotalRequests Limit exceeded."}
}

func internalError() *apiError {
	return &apiError{status: http.StatusInternalServerError, code: "UNKNOWN_EXCEPTION", message: "An unexpected error occurred. Please include this ErrorId if you contact support: 1"}
}

func noSuchColumn(o *object, name string) *apiError {
	return badRequest("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+o.name)
}

// httpEntry is the error as an HTTP body has it.
type httpEntry struct {
	Message string   `json:"message"`
	Code    string   `json:"errorCode"`
	Fields  []string `json:"fields,omitempty"`
}

// itemEntry is the error as a Collections item has it; fields is always there.
type itemEntry struct {
	Code    string   `json:"statusCode"`
	Message string   `json:"message"`
	Fields  []string `json:"fields"`
}

func (e *apiError) item() itemEntry {
	fields := e.fields
	if fields == nil {
		fields = []string{}
	}
	return itemEntry{Code: e.code, Message: e.message, Fields: fields}
}

func writeError(w http.ResponseWriter, e *apiError) {
	var body any = []httpEntry{{Message: e.message, Code: e.code, Fields: e.fields}}
	if e.fields != nil && len(e.fields) == 0 { // an empty list is shown where the vendor shows one
		body = []map[string]any{{"message": e.message, "errorCode": e.code, "fields": e.fields}}
	}
	writeJSON(w, e.status, body)
}

// writeJSON answers v. An answer that cannot be written has no reader left, so its error has no receiver either.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encoding answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	writeRaw(w, status, body)
}

func writeRaw(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
