package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

// byKey says whether devices of a kind log in with a secret key; cloud-api reference, sections 5.3 and 7. All others have
// a certificate, whose private key never leaves the board, or no session at all.
func byKey(d *cloud.Device) bool {
	switch d.Type {
	case "generic_device_secretkey", "login_and_secretkey_wifi", "nano_nora":
		return true
	}
	return d.Connection == "wifiandsecret"
}

// unmade are kinds that the target cannot make, and why.
var unmade = map[string]string{
	"lora-device": "a LoRa device is made with its keys: ardesiactl has none of them",
	"mkrwan1300":  "a LoRa board is made with its keys, which the source does not tell",
	"mkrwan1310":  "a LoRa board is made with its keys, which the source does not tell",
}

func (t *Transfer) copyDevices(ctx context.Context) error {
	all, c := t.source.devices, &t.report.Devices
	for i := range all {
		d := &all[i]
		t.progress(Devices, int64(i), int64(len(all)), d.Name)
		if err := t.copyDevice(ctx, d, c); err != nil {
			return fmt.Errorf("device %s: %w", d.ID, err)
		}
	}
	t.progress(Devices, int64(len(all)), int64(len(all)), "done")
	return t.tellKeys()
}

func (t *Transfer) copyDevice(ctx context.Context, d *cloud.Device, c *Count) error {
	if why, never := unmade[d.Type]; never {
		c.skip(d.ID, d.Name, why)
		return nil
	}
	have, there := t.there.devices.of(d.ID)
	if t.cfg.DryRun {
		t.count(d.ID, c)
		t.needsCertificate(d, "")
		return nil
	}
	if !there {
		// The unique hardware ID stays behind: a board that is provisioned anew brings it along.
		in := map[string]any{"name": d.Name, "type": d.Type, "fqbn": d.FQBN, "serial": d.Serial, "locked": d.Locked, "tags": tags(d.Tags, d.ID)}
		for field, v := range map[string]string{"connection_type": d.Connection, "ble_mac": d.BLEMAC, "wifi_fw_version": d.WiFiFW} {
			if v != "" {
				in[field] = v
			}
		}
		made, err := t.create(ctx, Devices, t.there.devices, "/iot/v2/devices?tags=", d.ID, http.MethodPut, "/iot/v2/devices", in)
		if why, no := refused(err); no {
			c.fail(d.ID, d.Name, why)
			return nil
		}
		if err != nil {
			return err
		}
		have = made
	}
	t.count(d.ID, c)
	if !byKey(d) {
		t.needsCertificate(d, have.ID)
		return nil
	}
	if t.state.Finished[d.ID] {
		return nil
	}
	return t.newKey(ctx, d, have.ID, c)
}

// newKey gives a device a secret key. It is in the state file before the target knows it, and leaves it when it was told.
func (t *Transfer) newKey(ctx context.Context, d *cloud.Device, id string, c *Count) error {
	path := "/iot/v2/devices/" + url.PathEscape(id) + "/pass"
	secret, ours := t.state.Secrets[d.ID]
	if !ours || secret.ID != id {
		var pass struct {
			Set       bool   `json:"set"`
			Suggested string `json:"suggested_password"`
		}
		if err := t.do(ctx, http.MethodGet, path+"?suggested_password=true", nil, &pass); err != nil {
			return err
		}
		if pass.Set {
			c.note(d.ID, d.Name, "its copy "+id+" had a secret key already, which stays; set another one on its page if nobody has it")
			return t.state.finish(d.ID)
		}
		secret = Secret{Kind: "device", ID: id, Name: d.Name, Key: pass.Suggested}
		t.state.Secrets[d.ID] = secret
		if err := t.state.save(); err != nil {
			return err
		}
	}
	if err := t.do(ctx, http.MethodPut, path, map[string]any{"password": secret.Key}, nil); err != nil {
		return err
	}
	return t.state.finish(d.ID)
}

func (t *Transfer) needsCertificate(d *cloud.Device, id string) {
	if byKey(d) || d.Type == "phone" {
		return
	}
	what := "provision the board for the new server, with its own key and a request for the device that was made: ardesiactl device certify ID --csr FILE"
	if id != "" {
		what = strings.Replace(what, "ID", id, 1)
	}
	t.report.Reprovision = append(t.report.Reprovision, Line{d.ID, d.Name, what})
}

// count puts a copy into the report: made by this transfer, in this run or an earlier one, or there before.
func (t *Transfer) count(source string, c *Count) {
	if t.state.Before[source] {
		c.There++
	} else {
		c.Copied++
	}
}

// tellKeys writes the secrets that were not told yet to their file, with those that it has, and forgets them.
func (t *Transfer) tellKeys() error {
	fresh := map[string]Secret{}
	for source, one := range t.state.Secrets {
		if t.state.Finished[source] { // else the target does not know it yet
			fresh[source] = one
		}
	}
	if len(fresh) == 0 || t.cfg.DryRun {
		return nil
	}
	var all []Secret
	switch text, err := private(t.cfg.Keys); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, &all); err != nil {
			return fmt.Errorf("%s has no secrets (%w): name another file with --keys", t.cfg.Keys, err)
		}
	}
	for _, one := range fresh {
		if !slices.Contains(all, one) { // an earlier run was killed after it had told it
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Secret) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := Write(t.cfg.Keys, append(text, '\n')); err != nil {
		return err
	}
	t.report.KeysFile = t.cfg.Keys
	t.report.NewKeys += len(fresh)
	for source := range fresh {
		delete(t.state.Secrets, source)
	}
	return t.state.save()
}
