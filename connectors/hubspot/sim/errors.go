package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/crmstream/crmstream/connectors/simkit"
)

// errorBody is the vendor's error document. Every field but status and message may be absent.
type errorBody struct {
	Status        string              `json:"status"`
	Message       string              `json:"message"`
	CorrelationID string              `json:"correlationId,omitempty"`
	RequestID     string              `json:"requestId,omitempty"`
	ErrorType     string              `json:"errorType,omitempty"`
	PolicyName    string              `json:"policyName,omitempty"`
	GroupName     string              `json:"groupName,omitempty"`
	Context       map[string][]string `json:"context,omitempty"`
	Errors        []errorDetail       `json:"errors,omitempty"`
	Links         map[string]string   `json:"links,omitempty"`
	Category      string              `json:"category,omitempty"`
	SubCategory   string              `json:"subCategory,omitempty"`
}

type errorDetail struct {
	Message string              `json:"message"`
	Code    string              `json:"code,omitempty"`
	Context map[string][]string `json:"context,omitempty"`
}

// apiError is an answer other than 2xx. Handlers return it as an error.
type apiError struct {
	status   int
	body     errorBody
	existing int64 // the record that is in the way, if one is
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.status, e.body.Message) }

func newError(status int, category, format string, args ...any) *apiError {
	return &apiError{status: status, body: errorBody{
		Status: "error", Category: category, Message: fmt.Sprintf(format, args...),
	}}
}

// with adds one entry to the error's context.
func (e *apiError) with(key string, values ...string) *apiError {
	if e.body.Context == nil {
		e.body.Context = make(map[string][]string, 1)
	}
	e.body.Context[key] = values
	return e
}

func badRequest(format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, "VALIDATION_ERROR", format, args...)
}

// plainBadRequest is a 400 of those endpoints that name no category.
func plainBadRequest(format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, "", format, args...)
}

// notFound answers for a record that is not there: the vendor gives a numeric id no category.
func notFound(id string) *apiError {
	if _, err := strconv.ParseInt(id, 10, 64); err == nil {
		return newError(http.StatusNotFound, "", "resource not found")
	}
	return newError(http.StatusNotFound, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
}

func unauthenticated() *apiError {
	return newError(http.StatusUnauthorized, "INVALID_AUTHENTICATION",
		"Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview")
}

const scopesPage = "https://developers.hubspot.com/scopes"

func missingScopes(scopes ...string) *apiError {
	e := newError(http.StatusForbidden, "MISSING_SCOPES",
		"This app hasn't been granted all required scopes to make this call. Read more about required scopes here: %s.", scopesPage)
	e.body.Errors = []errorDetail{{
		Message: "One or more of the following scopes are required.",
		Context: map[string][]string{"requiredGranularScopes": scopes},
	}}
	e.body.Links = map[string]string{"scopes": scopesPage}
	return e
}

// invalidValue is one entry of the list that the vendor embeds, as JSON, in the message of a 400.
type invalidValue struct {
	IsValid          bool   `json:"isValid"`
	Message          string `json:"message"`
	Error            string `json:"error"`
	Name             string `json:"name"`
	LocalizedMessage string `json:"localizedErrorMessage"`
	PortalID         int64  `json:"portalId"`
}

func invalidValues(list []invalidValue) *apiError {
	text, err := simkit.Marshal(list)
	if err != nil {
		panic(err) // strings, a bool and a number always marshal
	}
	e := badRequest("Property values were not valid: %s", text)
	for _, v := range list {
		e.body.Errors = append(e.body.Errors, errorDetail{
			Message: v.Message, Code: v.Error, Context: map[string][]string{"propertyName": {v.Name}},
		})
	}
	return e
}

// decodeBody parses a request body, reporting a mistake by line and column as the vendor does.
func decodeBody(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	err := dec.Decode(into)
	if err == nil {
		if len(bytes.TrimSpace(body[dec.InputOffset():])) == 0 {
			return nil
		}
		err = errors.New("Unexpected content after the end of the document")
	}
	offset := dec.InputOffset()
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &typ):
		offset = typ.Offset
		err = fmt.Errorf("Cannot deserialize value of type `%s` from JSON %s", typ.Type, typ.Value)
	}
	read := string(body[:min(max(offset, 0), int64(len(body)))])
	line := strings.Count(read, "\n") + 1
	column := len(read) - (strings.LastIndexByte(read, '\n') + 1)
	return plainBadRequest("Invalid input JSON on line %d, column %d: %v", line, max(column, 1), err)
}
