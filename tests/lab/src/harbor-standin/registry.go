package main

import (
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
)

// serveRegistry answers logins, and hands on to the registry what the user may do in the project that a path begins with.
func (h *harbor) serveRegistry(mux *http.ServeMux, upstream string) {
	target, _ := url.Parse(upstream)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			// The registry's own addresses in answers shall lead back here.
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out.Header.Del("Authorization")
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	mux.HandleFunc("GET /service/token", h.token)
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, r *http.Request) {
		h.mutex.Lock()
		user := h.login(r)
		may := h.may(user, r)
		readOnly := h.readOnly
		missing := r.URL.Path != "/v2/" && h.project(projectOf(r)) == nil
		h.mutex.Unlock()
		switch {
		case may && readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead:
			refuse(w, http.StatusForbidden, "DENIED", "The system is in read only mode. Any modification is prohibited.")
		case may && r.URL.Path == "/v2/":
			answer(w, http.StatusOK, map[string]string{})
		case may:
			proxy.ServeHTTP(w, r)
		case missing && user != "":
			// The client is not told how to log in better: it can't.
			w.Header().Set("WWW-Authenticate", "")
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "project "+projectOf(r)+" not found")
		default:
			w.Header().Set("WWW-Authenticate", challenge(r))
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized to access repository")
		}
	})
}

// challenge sends clients without a login for a token, as Harbor does.
func challenge(r *http.Request) string {
	if strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
		return `Basic realm="harbor"`
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return `Bearer realm="` + scheme + "://" + r.Host + `/service/token",service="harbor-registry"`
}

func (h *harbor) token(w http.ResponseWriter, r *http.Request) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	// A wrong login gets a token too, which is good for nothing.
	user := h.login(r)
	token := rand.Text()
	h.tokens[token] = user
	answer(w, http.StatusOK, map[string]any{"token": token, "access_token": token, "expires_in": 1800})
}

func (h *harbor) may(user string, r *http.Request) bool {
	if user == "" || r.URL.Path == "/v2/" {
		return user != ""
	}
	action := "push"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		action = "pull"
	}
	in := projectOf(r)
	if user == "admin" {
		return h.project(in) != nil
	}
	robot := h.robot(user)
	return robot != nil && h.project(in) != nil && slices.ContainsFunc(robot.Permissions, func(p permission) bool {
		return p.Namespace == in && slices.Contains(p.Access, access{"repository", action})
	})
}

// projectOf is the first part of an image's name.
func projectOf(r *http.Request) string {
	in, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	return in
}
