package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type project struct {
	ID       int64             `json:"project_id"`
	Name     string            `json:"name"`
	Metadata map[string]string `json:"metadata"`
}

type access struct {
	Resource string `json:"resource"`
	Action   string `json:"action"`
}

type permission struct {
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace"`
	Access    []access `json:"access"`
}

type robot struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Level       string       `json:"level"`
	Duration    int64        `json:"duration"`
	ExpiresAt   int64        `json:"expires_at"`
	Disable     bool         `json:"disable"`
	Editable    bool         `json:"editable"`
	Permissions []permission `json:"permissions"`
	secret      string
}

type harbor struct {
	mutex    sync.Mutex
	password string
	// failed says when the administrator last gave a wrong password: for a while after it, the right one is refused too.
	failed   time.Time
	readOnly bool
	prefix   string
	projects []*project
	robots   []*robot
	tokens   map[string]string
	number   int64
}

func newHarbor(password, prefix string) *harbor {
	return &harbor{password: password, prefix: prefix, tokens: map[string]string{}}
}

// login says who asks; an empty name is nobody, as with a wrong password.
func (h *harbor) login(r *http.Request) string {
	user, password, ok := r.BasicAuth()
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		return h.tokens[token]
	}
	if ok && user == "admin" {
		return h.administrator(password)
	}
	if robot := h.robot(user); ok && robot != nil && robot.secret == password && !robot.Disable &&
		(robot.ExpiresAt == -1 || robot.ExpiresAt > time.Now().Unix()) {
		return user
	}
	return ""
}

// locked is how long a user is refused after a failed login.
const locked = 1500 * time.Millisecond

func (h *harbor) administrator(password string) string {
	if time.Since(h.failed) < locked {
		return ""
	}
	if h.password == "" || password != h.password {
		h.failed = time.Now()
		return ""
	}
	return "admin"
}

func (h *harbor) robot(name string) *robot {
	for _, robot := range h.robots {
		if robot.Name == name {
			return robot
		}
	}
	return nil
}

func (h *harbor) project(name string) *project {
	for _, project := range h.projects {
		if project.Name == name {
			return project
		}
	}
	return nil
}

func (h *harbor) serveAPI(mux *http.ServeMux) {
	handle := func(pattern string, serve func(http.ResponseWriter, *http.Request, string)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			h.mutex.Lock()
			defer h.mutex.Unlock()
			changes := r.Method != http.MethodGet
			user := h.login(r)
			switch {
			case changes && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
				refuse(w, http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", `unsupported media type, only ["application/json"] are allowed`)
			case tooLarge(r):
				refuse(w, http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", "page_size in query should be less than or equal to 100")
			case changes && h.readOnly && !strings.HasSuffix(r.URL.Path, "/configurations"):
				refuse(w, http.StatusForbidden, "DENIED", "The system is in read only mode. Any modification is prohibited.")
			default:
				serve(w, r, user)
			}
		})
	}
	handle("GET /api/v2.0/projects", h.listProjects)
	handle("POST /api/v2.0/projects", h.createProject)
	handle("GET /api/v2.0/robots", h.listRobots)
	handle("POST /api/v2.0/robots", h.createRobot)
	handle("PUT /api/v2.0/robots/{id}", h.updateRobot)
	handle("PATCH /api/v2.0/robots/{id}", h.refreshSecret)
	handle("PUT /api/v2.0/configurations", h.configure)
}

func tooLarge(r *http.Request) bool {
	size, err := strconv.Atoi(r.URL.Query().Get("page_size"))
	return err == nil && size > 100
}

// configure is for tests, which play an administrator at Harbor's pages.
func (h *harbor) configure(w http.ResponseWriter, r *http.Request, user string) {
	if !allowed(w, user) {
		return
	}
	var wanted struct {
		ReadOnly *bool `json:"read_only"`
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || wanted.ReadOnly == nil {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "only read_only can be set here")
		return
	}
	h.readOnly = *wanted.ReadOnly
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// allowed answers for those who are nobody, and for robot accounts of projects, which may not use the API.
func allowed(w http.ResponseWriter, user string) bool {
	switch user {
	case "admin":
		return true
	case "":
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized")
	default:
		refuse(w, http.StatusForbidden, "FORBIDDEN", "forbidden")
	}
	return false
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func page[T any](r *http.Request, all []T) []T {
	number, size := 1, 10
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		number = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("page_size")); err == nil {
		size = n
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

// listProjects shows nobody the public ones, which are none here.
func (h *harbor) listProjects(w http.ResponseWriter, r *http.Request, user string) {
	found := []*project{}
	for _, project := range h.projects {
		if user == "admin" && strings.Contains(project.Name, r.URL.Query().Get("name")) {
			found = append(found, project)
		}
	}
	answer(w, http.StatusOK, page(r, found))
}

var plainName = regexp.MustCompile(`^[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

func (h *harbor) createProject(w http.ResponseWriter, r *http.Request, user string) {
	if !allowed(w, user) {
		return
	}
	var wanted struct {
		Name     string            `json:"project_name"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || !plainName.MatchString(wanted.Name) {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "bad project name")
		return
	}
	if h.project(wanted.Name) != nil {
		refuse(w, http.StatusConflict, "CONFLICT", fmt.Sprintf("The project named %s already exists", wanted.Name))
		return
	}
	h.number++
	h.projects = append(h.projects, &project{ID: h.number, Name: wanted.Name, Metadata: wanted.Metadata})
	w.Header().Set("Location", fmt.Sprintf("/api/v2.0/projects/%d", h.number))
	w.WriteHeader(http.StatusCreated)
}

func (h *harbor) listRobots(w http.ResponseWriter, r *http.Request, user string) {
	if !allowed(w, user) {
		return
	}
	words := strings.Split(r.URL.Query().Get("q"), ",")
	if !slices.Contains(words, "Level=project") {
		answer(w, http.StatusOK, []*robot{})
		return
	}
	var in *project
	for _, project := range h.projects {
		if slices.Contains(words, fmt.Sprintf("ProjectID=%d", project.ID)) {
			in = project
		}
	}
	if !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, "ProjectID=") }) {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "must with project ID when to query project robots")
		return
	}
	found := []*robot{}
	for _, robot := range h.robots {
		if in != nil && robot.Permissions[0].Namespace == in.Name {
			found = append(found, robot)
		}
	}
	answer(w, http.StatusOK, page(r, found))
}

// known are the permissions of a project's robot account that are known here. Harbor has more, and refuses those that it hasn't.
var known = map[string][]string{
	"repository": {"delete", "list", "pull", "push", "read", "update"},
	"artifact":   {"create", "delete", "list", "read"},
	"tag":        {"create", "delete", "list"},
}

// fault says what Harbor dislikes about a robot account, or nothing.
func (r *robot) fault() string {
	if r.Duration != -1 && r.Duration <= 0 {
		return "bad request error duration input"
	}
	if r.Level != "project" || len(r.Permissions) != 1 || r.Permissions[0].Kind != "project" || len(r.Permissions[0].Access) == 0 {
		return "bad request permission"
	}
	for _, access := range r.Permissions[0].Access {
		if !slices.Contains(known[access.Resource], access.Action) {
			return fmt.Sprintf("bad request permission: %s:%s", access.Resource, access.Action)
		}
	}
	return ""
}

func (h *harbor) createRobot(w http.ResponseWriter, r *http.Request, user string) {
	if !allowed(w, user) {
		return
	}
	var wanted robot
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || !plainName.MatchString(wanted.Name) {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "bad robot name")
		return
	}
	if fault := wanted.fault(); fault != "" {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", fault)
		return
	}
	in := wanted.Permissions[0].Namespace
	if h.project(in) == nil {
		refuse(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("project %s not found", in))
		return
	}
	wanted.Name = h.prefix + in + "+" + wanted.Name
	if h.robot(wanted.Name) != nil {
		refuse(w, http.StatusConflict, "CONFLICT", fmt.Sprintf("robot %s already exists", wanted.Name))
		return
	}
	h.number++
	wanted.ID, wanted.ExpiresAt, wanted.Editable, wanted.secret = h.number, wanted.Duration, true, rand.Text()+"aA1"
	h.robots = append(h.robots, &wanted)
	answer(w, http.StatusCreated, map[string]any{
		"id": wanted.ID, "name": wanted.Name, "secret": wanted.secret, "expires_at": wanted.ExpiresAt,
	})
}

func (h *harbor) numbered(w http.ResponseWriter, r *http.Request) *robot {
	for _, robot := range h.robots {
		if strconv.FormatInt(robot.ID, 10) == r.PathValue("id") {
			return robot
		}
	}
	refuse(w, http.StatusNotFound, "NOT_FOUND", "robot "+r.PathValue("id")+" not found")
	return nil
}

// updateRobot is for tests, which play a person at Harbor's pages.
func (h *harbor) updateRobot(w http.ResponseWriter, r *http.Request, user string) {
	if !allowed(w, user) {
		return
	}
	robot := h.numbered(w, r)
	if robot == nil {
		return
	}
	wanted := *robot
	wanted.Name, wanted.Level, wanted.Duration, wanted.Permissions = "", "", 0, nil
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", err.Error())
		return
	}
	// What is left out would be emptied, and is refused.
	if fault := wanted.fault(); fault != "" || wanted.Name != robot.Name {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "cannot update the level or name of robot, or "+fault)
		return
	}
	*robot = wanted
}

func isSecret(text string) bool {
	return len(text) >= 8 && len(text) <= 128 && strings.ContainsAny(text, "0123456789") &&
		strings.ToLower(text) != text && strings.ToUpper(text) != text
}

func (h *harbor) refreshSecret(w http.ResponseWriter, r *http.Request, user string) {
	if !allowed(w, user) {
		return
	}
	robot := h.numbered(w, r)
	if robot == nil {
		return
	}
	var wanted struct{ Secret string }
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || !isSecret(wanted.Secret) {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST",
			"the secret must be 8-128, inclusively, characters long with at least 1 uppercase letter, 1 lowercase letter and 1 number")
		return
	}
	robot.secret = wanted.Secret
	answer(w, http.StatusOK, map[string]string{})
}
