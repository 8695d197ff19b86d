package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
)

func (a *app) ota() *cobra.Command {
	return group("ota", "New programs for boards, over the air", a.otaUpload(), a.otaMassUpload(), a.otaStatus(), a.otaCancel(), a.otaResume(), a.otaImages(), a.otaEncode(), a.otaDecode())
}

// How long devices have to begin: those that are there, and those that may come.
const (
	lifeNow      = 10 * time.Minute
	lifeDeferred = 7 * 24 * time.Hour
)

var errUpdate = errors.New("the update did not succeed")

// readOTA reads a .ota file and checks it, or makes one of a plain image for a board.
func readOTA(path, fqbn string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage{err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, otafile.MaxImage+1))
	if err != nil {
		return nil, usage{err}
	}
	_, err = otafile.Check(bytes.NewReader(text), nil)
	if err == nil {
		return text, nil
	}
	if strings.HasSuffix(path, ".ota") {
		return nil, usage{fmt.Errorf("%s: %w", path, err)}
	}
	magic, ok := otafile.ByFQBN(fqbn)
	if !ok {
		return nil, usage{fmt.Errorf("%s is a plain image, so say for which board it is: --fqbn, such as arduino:samd:nano_33_iot", path)}
	}
	file, err := otafile.Encode(text, magic)
	if err != nil {
		return nil, usage{err}
	}
	return file, nil
}

func (a *app) otaUpload() *cobra.Command {
	var (
		fqbn           string
		deferred, wait bool
	)
	c := &cobra.Command{
		Use: "upload DEVICE FILE", Short: "Update one device",
		Long: `Update one device. FILE is a .ota file, or the plain image (.bin) that a compiler made. The device
is told at once if it is connected, and has 10 minutes to begin; with --deferred it has a week.`,
		Example: "  ardesiactl ota upload DEVICE sketch.bin --wait",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			var d client.Device
			if err := s.Do(c.Context(), "GET", "/iot/v2/devices/"+url.PathEscape(given[0]), nil, &d); err != nil {
				return err
			}
			if fqbn == "" {
				fqbn = d.FQBN
			}
			file, err := readOTA(given[1], fqbn)
			if err != nil {
				return err
			}
			life := lifeNow
			if deferred {
				life = lifeDeferred
			}
			up, err := s.UploadOTA(c.Context(), d.ID, filepath.Base(given[1]), file, life)
			if err != nil {
				return err
			}
			if wait {
				return a.follow(c, s, up.ID)
			}
			var now client.Course
			if err := s.Do(c.Context(), "GET", "/ota/v1/ota/"+up.ID, nil, &now); err != nil {
				return err
			}
			return a.printUpdates(c, []client.Update{now.Update})
		},
	}
	c.Flags().StringVar(&fqbn, "fqbn", "", "board that a plain image is for (default: the device's)")
	c.Flags().BoolVar(&deferred, "deferred", false, "give the device a week to begin")
	c.Flags().BoolVar(&wait, "wait", false, "wait for the end; code 1 when the update did not succeed")
	return c
}

// campaign is what the server says of many updates.
type campaign struct {
	ID      string    `json:"id" yaml:"id"`
	State   string    `json:"state" yaml:"state"`
	Image   string    `json:"image_id" yaml:"image_id"`
	Devices int       `json:"devices" yaml:"devices"`
	Wave    int       `json:"wave" yaml:"wave"`
	Waves   int       `json:"waves" yaml:"waves"`
	Tally   []tally   `json:"tally" yaml:"tally"`
	Skipped []skipped `json:"skipped,omitempty" yaml:"skipped,omitempty"`
}

type tally struct {
	Wave    int    `json:"wave" yaml:"wave"`
	Status  string `json:"status" yaml:"status"`
	Reason  string `json:"error_reason,omitempty" yaml:"error_reason,omitempty"`
	Devices int    `json:"devices" yaml:"devices"`
}

type skipped struct {
	DeviceID string `json:"device_id" yaml:"device_id"`
	Code     string `json:"code" yaml:"code"`
	Detail   string `json:"detail" yaml:"detail"`
}

// over counts the updates of c that have ended, and those that succeeded.
func (c campaign) over() (ended, good int) {
	for _, t := range c.Tally {
		if (client.Update{Status: t.Status}).Over() {
			ended += t.Devices
		}
		if t.Status == "succeeded" {
			good += t.Devices
		}
	}
	return ended, good
}

func (a *app) printCampaign(c *cobra.Command, one campaign) error {
	var rows [][]string
	for _, t := range one.Tally {
		rows = append(rows, []string{one.ID, one.State, fmt.Sprintf("%d/%d", t.Wave, one.Waves), t.Status, t.Reason, strconv.Itoa(t.Devices)})
	}
	for _, s := range one.Skipped {
		rows = append(rows, []string{one.ID, one.State, "-", "skipped " + s.DeviceID, s.Detail, "1"})
	}
	return a.print(c, one, []string{"campaign", "state", "wave", "status", "error", "devices"}, rows)
}

func (a *app) otaMassUpload() *cobra.Command {
	var (
		fqbn, start          string
		devices, tags        []string
		waves, failed, tries int
		deferred, wait       bool
	)
	c := &cobra.Command{
		Use: "mass-upload FILE", Short: "Update many devices, in waves",
		Long: `Update many devices: those that are named, and those that have all of the tags. Devices that cannot be
updated are skipped and told. With --wave-size the next devices begin when all of a wave are done;
with --max-failed the campaign halts when more of a wave fail ("ota resume" goes on).`,
		Example: "  ardesiactl ota mass-upload sketch.ota --tags room:hall --wave-size 20 --max-failed 10\n  ardesiactl ota mass-upload sketch.bin --fqbn arduino:samd:nano_33_iot --devices A,B --deferred",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			if len(devices)+len(tags) == 0 {
				return usage{errors.New("say which devices: --devices or --tags")}
			}
			file, err := readOTA(given[0], fqbn)
			if err != nil {
				return err
			}
			s, err := a.server()
			if err != nil {
				return err
			}
			kind, body, err := client.Form(filepath.Base(given[0]), file, nil)
			if err != nil {
				return err
			}
			var image struct {
				ID string `json:"id"`
			}
			if err := s.Send(c.Context(), "POST", "/v1/ota/images", kind, body, &image); err != nil {
				return err
			}
			life := lifeNow
			if deferred {
				life = lifeDeferred
			}
			in := map[string]any{"image_id": image.ID, "device_ids": devices, "tags": tags, "wave_size": waves, "max_failed_percent": failed, "max_retries": tries,
				"expire_in_mins": int(life / time.Minute), "start_at": start}
			var out campaign
			if err := s.Do(c.Context(), "POST", "/v1/ota/campaigns", in, &out); err != nil {
				return err
			}
			if wait {
				return a.followCampaign(c, s, out)
			}
			return a.printCampaign(c, out)
		},
	}
	c.Flags().StringVar(&fqbn, "fqbn", "", "board that a plain image is for")
	c.Flags().StringSliceVar(&devices, "devices", nil, "ids of devices")
	c.Flags().StringSliceVar(&tags, "tags", nil, "devices with all of these, key:value")
	c.Flags().IntVar(&waves, "wave-size", 0, "devices at a time (0: all)")
	c.Flags().IntVar(&failed, "max-failed", 100, "percent of a wave that may fail before the rest is halted")
	c.Flags().IntVar(&tries, "max-retries", 2, "how often a device is told again that was interrupted")
	c.Flags().StringVar(&start, "start-at", "", "not before, such as 2026-11-24T22:00:00Z")
	c.Flags().BoolVar(&deferred, "deferred", false, "give devices a week to begin")
	c.Flags().BoolVar(&wait, "wait", false, "wait for the end; code 1 unless all updates succeeded")
	return c
}

var updateColumns = []string{"id", "device", "status", "started", "ended", "progress", "error"}

func updateRow(u client.Update) []string {
	return []string{u.ID, u.DeviceID, u.Status, u.StartedAt, u.EndedAt, share(u), u.Reason}
}

// share is how much of its file a device has.
func share(u client.Update) string {
	if u.Size == 0 {
		return "-"
	}
	return strconv.FormatInt(100*u.Fetched/u.Size, 10) + "% " + u.State
}

func (a *app) printUpdates(c *cobra.Command, all []client.Update) error {
	var rows [][]string
	for _, u := range all {
		rows = append(rows, updateRow(u))
	}
	var data any = all
	if len(all) == 1 {
		data = all[0]
	}
	return a.print(c, data, updateColumns, rows)
}

func (a *app) otaStatus() *cobra.Command {
	var (
		dev, camp string
		limit     int
	)
	c := &cobra.Command{
		Use: "status [UPDATE]", Short: "How far an update is, those of a device, or a campaign",
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			switch {
			case len(given) == 1:
				var one client.Course
				if err := s.Do(c.Context(), "GET", "/ota/v1/ota/"+url.PathEscape(given[0]), nil, &one); err != nil {
					return err
				}
				rows := make([][]string, 0, len(one.Steps)+1)
				for _, step := range one.Steps {
					rows = append(rows, []string{step.At, step.State, step.Data})
				}
				rows = append(rows, []string{one.Update.EndedAt, one.Update.Status, one.Update.Reason})
				return a.print(c, one, []string{"time", "state", "data"}, rows)
			case camp != "":
				var one campaign
				if err := s.Do(c.Context(), "GET", "/v1/ota/campaigns/"+url.PathEscape(camp), nil, &one); err != nil {
					return err
				}
				return a.printCampaign(c, one)
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}, "order": {"desc"}}
			if dev != "" {
				q.Set("device_id", dev)
			}
			var out struct {
				Updates []client.Update `json:"ota"`
			}
			if err := s.Do(c.Context(), "GET", "/ota/v1/ota"+query(q), nil, &out); err != nil {
				return err
			}
			var rows [][]string
			for _, u := range out.Updates {
				rows = append(rows, updateRow(u))
			}
			return a.print(c, out.Updates, updateColumns, rows)
		},
	}
	c.Flags().StringVar(&dev, "device", "", "all updates of this device")
	c.Flags().StringVar(&camp, "campaign", "", "this campaign")
	c.Flags().IntVar(&limit, "limit", 20, "of so many updates, the newest first")
	return c
}

func (a *app) otaCancel() *cobra.Command {
	var camp bool
	c := &cobra.Command{Use: "cancel ID", Short: "Cancel an update, or a campaign with --campaign", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if camp {
			var one campaign
			if err := s.Do(c.Context(), "PUT", "/v1/ota/campaigns/"+url.PathEscape(given[0])+"/cancel", nil, &one); err != nil {
				return err
			}
			return a.printCampaign(c, one)
		}
		path := "/ota/v1/ota/" + url.PathEscape(given[0])
		if err := s.Do(c.Context(), "PUT", path+"/cancel", nil, nil); err != nil {
			return err
		}
		var one client.Course
		if err := s.Do(c.Context(), "GET", path, nil, &one); err != nil {
			return err
		}
		return a.printUpdates(c, []client.Update{one.Update})
	}}
	c.Flags().BoolVar(&camp, "campaign", false, "ID is a campaign's")
	return c
}

func (a *app) otaResume() *cobra.Command {
	return &cobra.Command{Use: "resume CAMPAIGN", Short: "Go on with a campaign that was halted", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var one campaign
		if err := s.Do(c.Context(), "PUT", "/v1/ota/campaigns/"+url.PathEscape(given[0])+"/resume", nil, &one); err != nil {
			return err
		}
		return a.printCampaign(c, one)
	}}
}

// image is a file that the server keeps.
type image struct {
	ID        string `json:"id" yaml:"id"`
	Name      string `json:"name" yaml:"name"`
	Board     string `json:"board" yaml:"board"`
	Size      int64  `json:"file_size" yaml:"file_size"`
	SHA       string `json:"sha256" yaml:"sha256"`
	Key       string `json:"binary_key" yaml:"binary_key"`
	CreatedAt string `json:"created_at" yaml:"created_at"`
}

func (a *app) otaImages() *cobra.Command {
	var gone string
	c := &cobra.Command{Use: "images", Short: "The images that the space keeps; --delete ID removes one", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if gone != "" {
			if err := a.confirm(c, "image "+gone); err != nil {
				return err
			}
			return s.Do(c.Context(), "DELETE", "/v1/ota/images/"+url.PathEscape(gone), nil, nil)
		}
		all := []image{}
		if err := s.Do(c.Context(), "GET", "/v1/ota/images", nil, &all); err != nil {
			return err
		}
		var rows [][]string
		for _, i := range all {
			rows = append(rows, []string{i.ID, i.Name, i.Board, strconv.FormatInt(i.Size, 10), i.CreatedAt})
		}
		return a.print(c, all, []string{"id", "name", "board", "bytes", "uploaded"}, rows)
	}}
	c.Flags().StringVar(&gone, "delete", "", "remove this image")
	return c
}

// written is what encode and decode made.
type written struct {
	File   string `json:"file" yaml:"file"`
	Board  string `json:"board" yaml:"board"`
	Bytes  int64  `json:"bytes" yaml:"bytes"` // of File
	Image  int64  `json:"image_size" yaml:"image_size"`
	SHA    string `json:"sha256" yaml:"sha256"` // of the image
	Header string `json:"magic" yaml:"magic"`
}

func (a *app) printWritten(c *cobra.Command, w written) error {
	return a.print(c, w, []string{"file", "board", "bytes", "image bytes", "sha-256 of the image"}, [][]string{{w.File, w.Board, strconv.FormatInt(w.Bytes, 10), strconv.FormatInt(w.Image, 10), w.SHA}})
}

func (a *app) otaEncode() *cobra.Command {
	var fqbn, out string
	c := &cobra.Command{Use: "encode FILE --fqbn BOARD", Short: "Make a .ota file of a plain image", Args: args(cobra.ExactArgs(1)),
		Example: "  ardesiactl ota encode sketch.bin --fqbn arduino:samd:nano_33_iot",
		RunE: func(c *cobra.Command, given []string) error {
			magic, ok := otafile.ByFQBN(fqbn)
			if !ok {
				return usage{fmt.Errorf("--fqbn %q is not a board that is updated over the air", fqbn)}
			}
			plain, err := os.ReadFile(given[0])
			if err != nil {
				return usage{err}
			}
			file, err := otafile.Encode(plain, magic)
			if err != nil {
				return usage{err}
			}
			if out == "" {
				out = strings.TrimSuffix(given[0], filepath.Ext(given[0])) + ".ota"
			}
			return a.save(c, out, file, file)
		}}
	c.Flags().StringVar(&fqbn, "fqbn", "", "the board's fully qualified name")
	c.Flags().StringVar(&out, "out", "", "file to write (default: FILE with .ota)")
	_ = c.MarkFlagRequired("fqbn")
	return c
}

func (a *app) otaDecode() *cobra.Command {
	var out string
	c := &cobra.Command{Use: "decode FILE", Short: "Check a .ota file and say what it is; --out FILE writes the image", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		file, err := os.ReadFile(given[0])
		if err != nil {
			return usage{err}
		}
		var plain bytes.Buffer
		if _, err := otafile.Check(bytes.NewReader(file), &plain); err != nil {
			return usage{fmt.Errorf("%s: %w", given[0], err)}
		}
		if out == "" {
			return a.tellFile(c, given[0], file)
		}
		return a.save(c, out, plain.Bytes(), file)
	}}
	c.Flags().StringVar(&out, "out", "", "file to write the image to")
	return c
}

// save writes a file that must not be there yet, and tells of the .ota file.
func (a *app) save(c *cobra.Command, path string, text, file []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return usage{err}
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return a.tellFile(c, path, file)
}

func (a *app) tellFile(c *cobra.Command, path string, file []byte) error {
	info, err := otafile.Check(bytes.NewReader(file), nil)
	if err != nil {
		return err
	}
	return a.printWritten(c, written{path, info.Magic.String(), info.FileBytes, info.ImageBytes, fmt.Sprintf("%x", info.ImageSHA), fmt.Sprintf("%#010x", uint32(info.Magic))})
}

// look is how often updates are asked about that somebody waits for. Tests are less patient.
var look = time.Second

// follow waits for the end of an update.
func (a *app) follow(c *cobra.Command, s *client.Client, id string) error {
	bar := newBar(c.ErrOrStderr())
	var one client.Course
	err := every(c.Context(), look, func() (bool, error) {
		if err := s.Do(c.Context(), "GET", "/ota/v1/ota/"+id, nil, &one); err != nil {
			return false, err
		}
		u := one.Update
		words := u.Status
		if u.State != "" && !u.Over() {
			words = u.State
		}
		bar.draw(u.Fetched, u.Size, words)
		return u.Over(), nil
	})
	bar.end()
	if err != nil {
		return err
	}
	if err := a.printUpdates(c, []client.Update{one.Update}); err != nil {
		return err
	}
	if one.Update.Status != "succeeded" {
		return fmt.Errorf("%w: %s %s", errUpdate, one.Update.Status, one.Update.Reason)
	}
	return nil
}

// followCampaign waits for the end of a campaign, or for it to be halted.
func (a *app) followCampaign(c *cobra.Command, s *client.Client, one campaign) error {
	left := one.Skipped
	bar := newBar(c.ErrOrStderr())
	err := every(c.Context(), look, func() (bool, error) {
		if err := s.Do(c.Context(), "GET", "/v1/ota/campaigns/"+one.ID, nil, &one); err != nil {
			return false, err
		}
		ended, good := one.over()
		bar.draw(int64(ended), int64(one.Devices), fmt.Sprintf("wave %d of %d, %d of %d done, %d succeeded", one.Wave, one.Waves, ended, one.Devices, good))
		return one.State != "running", nil
	})
	bar.end()
	if err != nil {
		return err
	}
	one.Skipped = left
	if err := a.printCampaign(c, one); err != nil {
		return err
	}
	if _, good := one.over(); good < one.Devices || one.State != "done" {
		return fmt.Errorf("%w on %d of %d devices; the campaign is %s", errUpdate, one.Devices-good, one.Devices, one.State)
	}
	return nil
}

// every does something until it is done, fails, or ctx ends.
func every(ctx context.Context, d time.Duration, do func() (done bool, err error)) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		done, err := do()
		var e *client.Error
		if errors.As(err, &e) && e.Status == 429 {
			err = nil // a little later
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
