package ota

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

var (
	// ErrForm is an upload that is no form with a file.
	ErrForm = problem.New(problem.Invalid, "ota-form", "The body is a form (multipart/form-data) with the file in its field ota_file.")
)

const (
	formExtra   = 64 << 10         // bytes of a form besides its file
	uploadTime  = 5 * time.Minute  // for a slow line
	fetchTime   = 30 * time.Minute // the same for a board
	writeWait   = 2 * time.Minute  // for a board to take the next bytes
	waitEnd     = 100 * time.Second
	waitTime    = waitEnd + 30*time.Second // for a request that waits for an end, and its answer
	manyTime    = 5 * time.Minute          // to write the updates of a whole campaign in one transaction
	maxRawImage = 4 << 20                  // bytes of an image that we encode, which takes seconds at worst
	encoders    = 2                        // plain images in memory at once; those who wait send nothing meanwhile
)

// Routes are the addresses of this room; cloud-api reference, sections 6.5 and 7.1. one is the Loader of a device.
func (s *Service) Routes(one door.Loader) []door.Route {
	const dev, update, image, campaign = "/iot/v2/devices/{id}/ota", "/ota/v1/ota", "/v1/ota/images", "/v1/ota/campaigns"
	return docs.Tell([]door.Route{
		{Pattern: "POST " + dev, Action: "ota:upload", Resource: one, MaxBody: otafile.MaxFile + formExtra, Timeout: uploadTime + waitTime, Out: wireUploaded{}, Status: http.StatusAccepted, Do: s.httpUpload},
		{Pattern: "PUT " + dev, Action: "ota:create", Resource: one, In: wireStart{}, Timeout: waitTime, Status: http.StatusAccepted, Do: s.httpStart},
		{Pattern: "POST " + dev + "/url", Action: "ota:create", Resource: one, In: wireStartURL{}, Status: http.StatusAccepted, Do: s.httpStartURL},

		{Pattern: "GET " + update, Action: "ota:list", Out: wireUpdates{}, Do: s.httpList},
		{Pattern: "GET " + update + "/{id}", Action: "ota:read", Resource: s.loadUpdate, Out: wireCourse{}, Do: s.httpShow},
		{Pattern: "PUT " + update + "/{id}/cancel", Action: "ota:cancel", Resource: s.loadUpdate, Do: s.httpCancel},

		{Pattern: "GET " + image, Action: "ota:list", Out: []wireImage{}, Do: s.httpImages},
		{Pattern: "POST " + image, Action: "ota:upload", MaxBody: otafile.MaxFile + formExtra, Timeout: uploadTime, Out: wireImage{}, Status: http.StatusCreated, Do: s.httpUploadImage},
		{Pattern: "GET " + image + "/{id}", Action: "ota:read", Resource: s.loadImage, Out: wireImage{}, Do: s.httpImage},
		{Pattern: "DELETE " + image + "/{id}", Action: "ota:delete", Resource: s.loadImage, Do: s.httpDeleteImage},

		{Pattern: "GET " + campaign, Action: "ota:list", Out: []wireCampaign{}, Do: s.httpCampaigns},
		{Pattern: "POST " + campaign, Action: "ota:create", In: wireWish{}, MaxBody: 8 << 20, Timeout: manyTime, Out: wireCampaign{}, Status: http.StatusCreated, Do: s.httpStartMany},
		{Pattern: "GET " + campaign + "/{id}", Action: "ota:read", Resource: s.loadCampaign, Out: wireCampaign{}, Do: s.httpCampaign},
		{Pattern: "GET " + campaign + "/{id}/ota", Action: "ota:read", Resource: s.loadCampaign, Out: wireUpdates{}, Do: s.httpCampaignUpdates},
		{Pattern: "PUT " + campaign + "/{id}/cancel", Action: "ota:cancel", Resource: s.loadCampaign, Timeout: manyTime, Out: wireCampaign{}, Do: s.httpCancelCampaign},
		{Pattern: "PUT " + campaign + "/{id}/resume", Action: "ota:create", Resource: s.loadCampaign, Timeout: manyTime, Out: wireCampaign{}, Do: s.httpResume},

		// Boards have no tokens: the address itself is the secret.
		{Pattern: "GET " + downloadPath + "{token}", Open: true, Timeout: fetchTime, Do: s.httpFile},
	})
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

func (s *Service) loadUpdate(r *http.Request, who access.Actor) (access.Resource, error) {
	u, err := s.needs.Store.update(r.Context(), who.Space, pathID(r))
	return access.Resource{Type: "Update", ID: u.ID, Space: u.Space, Owner: u.Owner}, err
}

func (s *Service) loadImage(r *http.Request, who access.Actor) (access.Resource, error) {
	i, err := s.needs.Store.image(r.Context(), who.Space, pathID(r))
	return access.Resource{Type: "Image", ID: i.ID, Space: i.Space, Owner: i.Owner}, err
}

func (s *Service) loadCampaign(r *http.Request, who access.Actor) (access.Resource, error) {
	c, err := s.needs.Store.campaign(r.Context(), who.Space, pathID(r))
	return access.Resource{Type: "Campaign", ID: c.ID, Space: c.Space, Owner: c.Owner}, err
}

// A form is an upload as it comes: its file is read while it arrives.
type form struct {
	fields url.Values
	image  Image
	found  bool
}

// readForm reads a form to its end and stores its file. Fields may stand before the file or behind it.
func (s *Service) readForm(r *http.Request, who access.Actor, lasting bool) (form, error) {
	f := form{fields: url.Values{}}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return f, ErrForm
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, formError(err)
		}
		if p.FormName() != "ota_file" {
			text, err := io.ReadAll(io.LimitReader(p, 1024))
			if err != nil {
				return f, formError(err)
			}
			if len(f.fields) < 16 {
				f.fields.Add(p.FormName(), string(text))
			}
			continue
		}
		if f.found {
			return f, ErrForm.With("The form has more than one file.")
		}
		name := f.fields.Get("name")
		if name == "" {
			name = fileName(p.FileName())
		}
		if f.image, err = s.keepFile(r.Context(), who, name, f.fields.Get("fqbn"), lasting, p); err != nil {
			return f, formError(err)
		}
		f.found = true
	}
}

// keepFile stores one file; one with a board's name is a plain image.
func (s *Service) keepFile(ctx context.Context, who access.Actor, name, fqbn string, lasting bool, r io.Reader) (Image, error) {
	if fqbn == "" {
		return s.Upload(ctx, who, who.Space, name, lasting, r)
	}
	select {
	case s.plain <- struct{}{}:
		defer func() { <-s.plain }()
	case <-ctx.Done():
		return Image{}, ctx.Err()
	}
	image, err := io.ReadAll(io.LimitReader(r, maxRawImage+1))
	if err != nil {
		return Image{}, err
	}
	if len(image) > maxRawImage {
		return Image{}, otafile.ErrTooLarge.With("A plain image has at most 4 MiB here: make the .ota file before you send it (ardesiactl ota encode).")
	}
	return s.UploadImage(ctx, who, who.Space, name, fqbn, lasting, image)
}

// fileName is the name of an uploaded file as an image's name: what does not fit is cut.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if letters := []rune(name); len(letters) > maxName {
		name = string(letters[:maxName])
	}
	return name
}

// formError is what went wrong with a body: its own fault, too large, or broken off.
func formError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return otafile.ErrTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, multipart.ErrMessageTooLarge):
		return rest.ErrBody.With("The request's body ended too early.")
	case problem.Of(err).Kind != problem.Internal, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.HasPrefix(err.Error(), "multipart:"), strings.HasPrefix(err.Error(), "malformed MIME"):
		return ErrForm
	}
	return err
}

// httpUpload is what the command line tool of the service that we are compatible with does: a file for one device.
func (s *Service) httpUpload(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := s.readForm(r, who, false)
	if err != nil {
		return err
	}
	if !f.found {
		return ErrForm
	}
	terms, err := minutes(f.fields.Get("expire_in_mins"))
	if err != nil {
		return err
	}
	async, err := flag(f.fields.Get("async"), true)
	if err != nil {
		return err
	}
	u, err := s.start(r.Context(), who, pathID(r), f.image.ID, terms, async)
	if err != nil {
		return err
	}
	return rest.Write(w, status(u), rest.Media("devicev2.otaupload"), toUploaded(u, f.image))
}

// start begins an update and waits for its end unless async.
func (s *Service) start(ctx context.Context, who access.Actor, id, image string, t Terms, async bool) (Update, error) {
	news := s.Changes.Subscribe(256)
	defer news.Close()
	u, err := s.Start(ctx, who, who.Space, id, image, t)
	if err != nil || async {
		return u, err
	}
	late := time.NewTimer(waitEnd)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return u, ctx.Err()
		case <-late.C:
			return u, nil
		case c := <-news.C():
			if c.ID != u.ID && news.Lost() == 0 {
				continue
			}
		}
		if u, _, err = s.Get(ctx, who, who.Space, u.ID); err != nil || u.Status.Over() {
			return u, err
		}
	}
}

// status is 200 for what is over, and 202 for what goes on.
func status(u Update) int {
	if u.Status.Over() {
		return http.StatusOK
	}
	return http.StatusAccepted
}

var keyForm = regexp.MustCompile(`^ota/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)\.ota$`)

// keyOf finds the image that a client calls by a key.
func (s *Service) keyOf(ctx context.Context, who access.Actor, key string) (Image, error) {
	m := keyForm.FindStringSubmatch(key)
	if m == nil {
		return Image{}, ErrInvalid.With("binary_key is ota/<space>/<image>.ota, as the list of images tells it.")
	}
	if m[1] != who.Space {
		return Image{}, ErrImageNotFound
	}
	return s.Image(ctx, who, who.Space, strings.ToLower(m[2]))
}

func (s *Service) httpStart(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	in := wireStart{Async: true}
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	i, err := s.keyOf(r.Context(), who, in.Key)
	if err != nil {
		return err
	}
	u, err := s.start(r.Context(), who, pathID(r), i.ID, Terms{Life: time.Duration(in.Minutes) * time.Minute, Retries: -1}, in.Async)
	if err != nil {
		return err
	}
	w.WriteHeader(status(u))
	return nil
}

// httpStartURL sends the device the address of a stored file, whose hash the client may name.
func (s *Service) httpStartURL(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireStartURL
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	i, err := s.keyOf(r.Context(), who, in.Key)
	if err != nil {
		return err
	}
	if in.SHA != "" && !strings.EqualFold(in.SHA, hexOf(i.ImageSHA)) && !strings.EqualFold(in.SHA, hexOf(i.FileSHA)) {
		return ErrInvalid.With("sha256 is neither that of the stored file nor that of the image in it.")
	}
	u, err := s.Start(r.Context(), who, who.Space, pathID(r), i.ID, Terms{Retries: -1})
	if err != nil {
		return err
	}
	w.WriteHeader(status(u))
	return nil
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := filter(r.URL.Query(), who.Space)
	if err != nil {
		return err
	}
	return s.writeUpdates(w, r, who, f)
}

func (s *Service) writeUpdates(w http.ResponseWriter, r *http.Request, who access.Actor, f Filter) error {
	all, err := s.List(r.Context(), who, f)
	if err != nil {
		return err
	}
	wire := wireUpdates{Updates: make([]wireUpdate, 0, len(all))}
	for _, u := range all {
		wire.Updates = append(wire.Updates, toWire(u))
	}
	return rest.Write(w, http.StatusOK, "application/json", wire)
}

func filter(q url.Values, space string) (Filter, error) {
	f := Filter{Space: space, Device: strings.ToLower(q.Get("device_id"))}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return f, rest.ErrQuery.With("limit is a number.")
		}
		f.Limit = n
	}
	switch q.Get("order") {
	case "", "desc":
	case "asc":
		f.OldestFirst = true
	default:
		return f, rest.ErrQuery.With("order is asc or desc.")
	}
	return f, nil
}

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := filter(r.URL.Query(), who.Space)
	if err != nil {
		return err
	}
	u, lines, err := s.Get(r.Context(), who, who.Space, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/json", toCourse(u, lines, f))
}

func (s *Service) httpCancel(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if _, err := s.Cancel(r.Context(), who, who.Space, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// httpFile gives a board its file, whole or a range of it. It is never encoded or sent in chunks: boards want its length.
func (s *Service) httpFile(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	var c Credential
	c.ID, c.Secret, _ = r.BasicAuth()
	file, err := s.File(r.Context(), r.PathValue("token"), Credential{strings.ToLower(c.ID), c.Secret})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(&patient{ResponseWriter: w, control: http.NewResponseController(w), now: s.needs.Now}, r, "", time.Time{}, file)
	return nil
}

// patient gives a board more time for each part that it takes, and not for the whole.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

func (w *patient) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(w.now().Add(writeWait)) // not every writer has deadlines
	return w.ResponseWriter.Write(p)
}

func minutes(text string) (Terms, error) {
	t := Terms{Retries: -1}
	if text == "" {
		return t, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > int(maxLife/time.Minute) {
		return t, ErrInvalid.With("expire_in_mins is 1 to 43200.")
	}
	t.Life = time.Duration(n) * time.Minute
	return t, nil
}

func flag(text string, standard bool) (bool, error) {
	if text == "" {
		return standard, nil
	}
	v, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, ErrInvalid.With("async is true or false.")
	}
	return v, nil
}
