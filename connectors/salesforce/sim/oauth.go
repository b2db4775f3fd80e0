package sim

// Serves POST /services/oauth2/token (JWT bearer and refresh token grants), POST and GET /services/oauth2/revoke,
// GET /services/oauth2/userinfo and GET /id/{org}/{user}.
//
// Deviations: no web-server, device or client-credentials flow (POST /_sim/grant gives a refresh token instead); no refresh-token
// rotation; no cap of five approvals a user; no login rate limit; the descriptions of invalid_request are ours. exp may lie
// at most five minutes ahead, with 30 s of leeway, both ways.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	jwtGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	jwtMaxLife = 5 * time.Minute
	jwtLeeway  = 30 * time.Second
)

// session is a live access token. Its life slides with use.
type session struct {
	hash, user, app, parent string
	used                    time.Time
}

// grant is a refresh token.
type grant struct{ user, app string }

// oauthError is the token endpoint's error body.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func (s *Server) serveOAuth(w http.ResponseWriter, r *http.Request, what string) {
	switch what {
	case "token":
		s.serveToken(w, r)
	case "revoke":
		s.serveRevoke(w, r)
	case "userinfo":
		s.serveUserinfo(w, r)
	default:
		writeError(w, notFound())
	}
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	var body any
	err := error(&oauthError{"invalid_request", "must use HTTP POST"})
	if r.Method == http.MethodPost {
		if err = r.ParseForm(); err != nil {
			err = &oauthError{"invalid_request", "malformed form body"}
		}
	}
	if err == nil {
		switch g := r.PostForm.Get("grant_type"); g {
		case jwtGrant:
			body, err = s.jwtBearer(r, r.PostForm.Get("assertion"))
		case "refresh_token":
			body, err = s.refresh(r, r.PostForm)
		default:
			err = &oauthError{"unsupported_grant_type", "grant type not supported"}
		}
	}
	if err != nil {
		var oe *oauthError
		if !errors.As(err, &oe) {
			s.log.Error("login", "error", err)
			oe = &oauthError{"unknown_error", "retry your request"}
		}
		writeJSON(w, http.StatusBadRequest, oe)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// jwtBearer verifies an assertion and logs its subject in. The same user and app get the session that still lives.
func (s *Server) jwtBearer(r *http.Request, assertion string) (any, error) {
	if assertion == "" {
		return nil, &oauthError{"invalid_request", "assertion is required"}
	}
	invalid := &oauthError{"invalid_grant", "invalid assertion"}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, &claims); err != nil {
		return nil, invalid
	}
	// Whoever knows the client id decides which key applies; the user then decides which of those orgs it is.
	var o *org
	var app AppConfig
	var user UserConfig
	known := false
	for _, id := range s.order {
		candidate := s.orgs[id]
		a, ok := candidate.app(claims.Issuer)
		if !ok || a.PublicKeyPEM == "" {
			continue
		}
		known = true
		key, err := a.publicKey()
		if err != nil {
			return nil, err
		}
		verify := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
		if _, err := verify.ParseWithClaims(assertion, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
			continue
		}
		if o == nil {
			o, app = candidate, a
		}
		if u, ok := candidate.userNamed(claims.Subject); ok && u.Username == claims.Subject {
			o, app, user = candidate, a, u
			break
		}
	}
	switch {
	case !known:
		return nil, &oauthError{"invalid_client_id", "client identifier invalid"}
	case o == nil:
		return nil, invalid
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts["login"]++
	allowed := []string{"https://login.salesforce.com", "https://test.salesforce.com", s.base(r)}
	if !slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(allowed, strings.TrimSuffix(a, "/")) }) {
		return nil, &oauthError{"invalid_grant", "audience is invalid"}
	}
	now := s.now()
	if claims.ExpiresAt == nil || claims.ExpiresAt.Before(now.Add(-jwtLeeway)) || claims.ExpiresAt.After(now.Add(jwtMaxLife+jwtLeeway)) {
		return nil, &oauthError{"invalid_grant", "expired authorization code"}
	}
	if user.ID == "" {
		return nil, &oauthError{"invalid_grant", "user hasn't approved this consumer"}
	}
	reuse := user.ID + " " + app.ClientID
	token := o.reusable[reuse]
	if token == "" || o.session(token) == nil {
		var err error
		if token, err = o.login(user.ID, app.ClientID, ""); err != nil {
			return nil, err
		}
		o.reusable[reuse] = token
	}
	return map[string]string{
		"access_token": token, "scope": "api refresh_token", "instance_url": s.base(r),
		"id": s.identityURL(r, o.id, user.ID), "token_type": "Bearer",
	}, nil
}

// refresh is the refresh token grant without rotation.
func (s *Server) refresh(r *http.Request, form url.Values) (any, error) {
	hash := tokenHash(form.Get("refresh_token"))
	for _, id := range s.order {
		o := s.orgs[id]
		o.mu.Lock()
		body, found, err := s.refreshIn(r, o, hash, form)
		o.mu.Unlock()
		if found {
			return body, err
		}
	}
	return nil, &oauthError{"invalid_grant", "expired access/refresh token"}
}

func (s *Server) refreshIn(r *http.Request, o *org, hash string, form url.Values) (any, bool, error) {
	g := o.grants[hash]
	if g == nil {
		return nil, false, nil
	}
	o.counts["login"]++
	app, ok := o.app(form.Get("client_id"))
	if !ok || app.ClientID != g.app {
		return nil, true, &oauthError{"invalid_client_id", "client identifier invalid"}
	}
	if app.ClientSecret != "" && !hmac.Equal([]byte(app.ClientSecret), []byte(form.Get("client_secret"))) {
		return nil, true, &oauthError{"invalid_client", "invalid client credentials"}
	}
	token, err := o.login(g.user, g.app, hash)
	if err != nil {
		return nil, true, err
	}
	id, issued := s.identityURL(r, o.id, g.user), strconv.FormatInt(s.now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(app.ClientSecret))
	mac.Write([]byte(id + issued))
	return map[string]string{
		"access_token": token, "scope": "api refresh_token", "instance_url": s.base(r), "id": id, "token_type": "Bearer",
		"issued_at": issued, "signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}, true, nil
}

// login makes an access token and logs it.
func (o *org) login(user, app, parent string) (string, error) {
	token := o.id[:shortIDLen] + "!AQ" + randomText(40) + "." + randomText(20) + "_" + randomText(32)
	l := &logLogin{Hash: tokenHash(token), User: user, App: app, At: o.srv.now().UnixMilli(), Parent: parent}
	if _, err := o.log.Append(logLine{Login: l}); err != nil {
		return "", err
	}
	o.redoLogin(l)
	return token, nil
}

// grantRefresh makes a refresh token and logs it.
func (o *org) grantRefresh(user, app string) (string, error) {
	token := "5Aep861" + randomText(80)
	l := &logLogin{Hash: tokenHash(token), User: user, App: app, At: o.srv.now().UnixMilli(), Refresh: true}
	if _, err := o.log.Append(logLine{Login: l}); err != nil {
		return "", err
	}
	o.redoLogin(l)
	return token, nil
}

func (o *org) redoLogin(l *logLogin) {
	if l.Refresh {
		o.grants[l.Hash] = &grant{user: l.User, app: l.App}
		return
	}
	o.sessions[l.Hash] = &session{hash: l.Hash, user: l.User, app: l.App, parent: l.Parent, used: time.UnixMilli(l.At)}
}

// session finds the live session of a token and extends it; nil if there is none.
func (o *org) session(token string) *session {
	ses := o.sessions[tokenHash(token)]
	if ses == nil {
		return nil
	}
	now := o.srv.now()
	if now.Sub(ses.used) > o.cfg.SessionTTL {
		delete(o.sessions, ses.hash)
		return nil
	}
	ses.used = now
	return ses
}

// dropToken ends a token; a refresh token takes its access tokens along.
func (o *org) dropToken(hash string) {
	delete(o.sessions, hash)
	if o.grants[hash] == nil {
		return
	}
	delete(o.grants, hash)
	for h, ses := range o.sessions {
		if ses.parent == hash {
			delete(o.sessions, h)
		}
	}
}

func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeForm(w, "invalid_request", "malformed form body")
		return
	}
	token := r.Form.Get("token")
	if token == "" {
		writeForm(w, "unsupported_token_type", "this token type is not supported")
		return
	}
	hash := tokenHash(token)
	for _, id := range s.order {
		o := s.orgs[id]
		o.mu.Lock()
		known := o.sessions[hash] != nil || o.grants[hash] != nil
		var err error
		if known {
			if _, err = o.log.Append(logLine{Revoke: hash}); err == nil {
				o.dropToken(hash)
			}
		}
		o.mu.Unlock()
		if err != nil {
			writeError(w, internalError())
			return
		}
		if known {
			w.WriteHeader(http.StatusOK)
			return
		}
	}
	writeForm(w, "invalid_token", "invalid token: the token is not valid or already revoked")
}

// writeForm answers an error of the revoke endpoint, which is form-encoded, not JSON.
func writeForm(w http.ResponseWriter, code, description string) {
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprint(w, url.Values{"error": {code}, "error_description": {description}}.Encode())
}

// serveIdentity answers the id URL of a token response. Its errors are plain text.
func (s *Server) serveIdentity(w http.ResponseWriter, r *http.Request, orgID, userID string) {
	o, ses := s.authenticate(r)
	switch {
	case bearer(r) == "":
		http.Error(w, "Missing_OAuth_Token", http.StatusForbidden)
		return
	case ses == nil:
		http.Error(w, "Bad_OAuth_Token", http.StatusForbidden)
		return
	case o.id != orgID:
		http.Error(w, "Wrong_Org", http.StatusForbidden)
		return
	}
	o.mu.Lock()
	u, ok := o.userNamed(userID)
	o.mu.Unlock()
	if !ok {
		http.Error(w, "Bad_Id", http.StatusNotFound)
		return
	}
	id := s.identityURL(r, o.id, u.ID)
	base := s.base(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"id": id, "asserted_user": u.ID == ses.user, "user_id": u.ID, "organization_id": o.id, "username": u.Username, "nick_name": u.Username,
		"display_name": u.Name, "email": u.Email, "email_verified": true, "active": true, "user_type": "STANDARD",
		"urls": map[string]string{
			"rest": base + "/services/data/v{version}/", "sobjects": base + "/services/data/v{version}/sobjects/",
			"query": base + "/services/data/v{version}/query/",
		},
	})
}

func (s *Server) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	o, ses := s.authenticate(r)
	if ses == nil {
		http.Error(w, "Bad_OAuth_Token", http.StatusForbidden)
		return
	}
	o.mu.Lock()
	u, _ := o.userNamed(ses.user)
	o.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"sub": s.identityURL(r, o.id, u.ID), "user_id": u.ID, "organization_id": o.id, "preferred_username": u.Username,
		"name": u.Name, "email": u.Email, "email_verified": true,
	})
}

func (s *Server) identityURL(r *http.Request, orgID, userID string) string {
	return s.base(r) + "/id/" + orgID + "/" + userID
}

// bearer takes the access token from a request: "Bearer", "OAuth", or bare, as clients of the streaming API send it.
func bearer(r *http.Request) string {
	h := r.Header.Get("Authorization")
	if scheme, token, ok := strings.Cut(h, " "); ok {
		if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "OAuth") {
			return strings.TrimSpace(token)
		}
		return ""
	}
	return h
}

// authenticate finds the org and the live session of a request; the session is nil if there is none.
func (s *Server) authenticate(r *http.Request) (*org, *session) {
	token := bearer(r)
	o := s.orgOfToken(token)
	if o == nil {
		return nil, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	ses := o.session(token)
	if ses == nil {
		return o, nil
	}
	c := *ses
	return o, &c
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
