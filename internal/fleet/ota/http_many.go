package ota

import (
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Images and campaigns are our own; the API that we are compatible with has nothing like them.

func (s *Service) httpUploadImage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := s.readForm(r, who, true)
	if err != nil {
		return err
	}
	if !f.found {
		return ErrForm
	}
	return rest.Write(w, http.StatusCreated, "application/json", toImage(f.image))
}

func (s *Service) httpImages(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Images(r.Context(), who, who.Space)
	if err != nil {
		return err
	}
	wire := make([]wireImage, 0, len(all))
	for _, i := range all {
		wire = append(wire, toImage(i))
	}
	return rest.Write(w, http.StatusOK, "application/json", wire)
}

func (s *Service) httpImage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	i, err := s.Image(r.Context(), who, who.Space, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/json", toImage(i))
}

func (s *Service) httpDeleteImage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.DeleteImage(r.Context(), who, who.Space, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpStartMany(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	in := wireWish{MaxFailed: 100, Retries: -1}
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	wish := Wish{Image: in.Image, Devices: in.Devices, WaveSize: in.WaveSize, MaxFailed: in.MaxFailed,
		Terms: Terms{Life: time.Duration(in.Minutes) * time.Minute, Retries: in.Retries}}
	if in.StartAt != "" {
		at, err := time.Parse(time.RFC3339, in.StartAt)
		if err != nil {
			return ErrInvalid.With("start_at is a time such as 2026-11-24T12:00:00Z.")
		}
		wish.StartAt = at.UTC()
	}
	for _, text := range in.Tags {
		tag, err := device.ParseTag(text)
		if err != nil {
			return err
		}
		wish.Tags = append(wish.Tags, tag)
	}
	c, skipped, err := s.StartMany(r.Context(), who, who.Space, wish)
	if err != nil {
		return err
	}
	_, tallies, err := s.Campaign(r.Context(), who, who.Space, c.ID)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, "application/json", toCampaign(c, tallies, skipped))
}

func (s *Service) httpCampaigns(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Campaigns(r.Context(), who, who.Space)
	if err != nil {
		return err
	}
	wire := make([]wireCampaign, 0, len(all))
	for _, c := range all {
		wire = append(wire, toCampaign(c, nil, nil))
	}
	return rest.Write(w, http.StatusOK, "application/json", wire)
}

func (s *Service) writeCampaign(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	c, tallies, err := s.Campaign(r.Context(), who, who.Space, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/json", toCampaign(c, tallies, nil))
}

func (s *Service) httpCampaign(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.writeCampaign(w, r, who)
}

func (s *Service) httpCampaignUpdates(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := filter(r.URL.Query(), who.Space)
	if err != nil {
		return err
	}
	f.Campaign = pathID(r)
	return s.writeUpdates(w, r, who, f)
}

func (s *Service) httpCancelCampaign(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if _, err := s.CancelCampaign(r.Context(), who, who.Space, pathID(r)); err != nil {
		return err
	}
	return s.writeCampaign(w, r, who)
}

func (s *Service) httpResume(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if _, err := s.Resume(r.Context(), who, who.Space, pathID(r)); err != nil {
		return err
	}
	return s.writeCampaign(w, r, who)
}
