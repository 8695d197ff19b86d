package ota

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Wish says which devices are to be updated, and how.
type Wish struct {
	Image     string
	Devices   []string     // by ID
	Tags      []device.Tag // and those that have all of these
	WaveSize  int          // 0: all at once
	MaxFailed int          // percent of a wave that may fail or expire before the campaign is halted
	Terms
}

// A Skipped is a device that was named and is not updated.
type Skipped struct {
	Device string
	Err    error // why
}

// A Tally is how many devices of one wave are how far.
type Tally struct {
	Wave    int
	Status  Status
	Error   string // why they failed
	Devices int
}

// StartMany updates many devices in waves: the next one begins when every update of the one before is over. What
// cannot be updated is skipped and told. Devices that are named twice count once.
func (s *Service) StartMany(ctx context.Context, who access.Actor, space string, w Wish) (Campaign, []Skipped, error) {
	if err := ours(who, space); err != nil {
		return Campaign{}, nil, err
	}
	now := s.now()
	terms, err := w.Terms.filled(now)
	if err != nil {
		return Campaign{}, nil, err
	}
	switch {
	case w.WaveSize < 0 || w.WaveSize > maxDevices:
		return Campaign{}, nil, ErrInvalid.With(fmt.Sprintf("A wave has 1 to %d devices, or 0 for all at once.", maxDevices))
	case w.MaxFailed < 0 || w.MaxFailed > 100:
		return Campaign{}, nil, ErrInvalid.With("max_failed_percent is 0 to 100.")
	case len(w.Devices) == 0 && len(w.Tags) == 0:
		return Campaign{}, nil, ErrNoDevices
	}
	i, err := s.needs.Store.image(ctx, space, w.Image)
	if err != nil {
		return Campaign{}, nil, err
	}
	chosen, skipped, err := s.choose(ctx, who, space, w)
	if err != nil {
		return Campaign{}, nil, err
	}
	c := Campaign{ID: uuid.NewString(), Space: space, Owner: who.ID, Image: i.ID, State: Running, WaveSize: w.WaveSize, MaxFailed: w.MaxFailed, CreatedAt: now}
	var all []Update
	for _, d := range chosen {
		if err := capable(d, i); err != nil {
			skipped = append(skipped, Skipped{d.ID, err})
			continue
		}
		u := terms.new(now, d, i, who.ID)
		u.Campaign = c.ID
		all = append(all, u)
	}
	switch {
	case len(all) == 0 && len(skipped) > 0:
		return Campaign{}, skipped, skipped[0].Err
	case len(all) == 0:
		return Campaign{}, nil, ErrNoDevices
	case len(all) > maxDevices:
		return Campaign{}, nil, ErrInvalid.With(fmt.Sprintf("A campaign has at most %d devices.", maxDevices))
	}
	added, err := s.needs.Store.add(ctx, all, &c, s.entry(who, space, "ota:create", "ota-campaign", c.ID, map[string]string{"image": i.ID, "devices": strconv.Itoa(len(all))}))
	if err != nil {
		return Campaign{}, skipped, err
	}
	in := make(map[string]bool, len(added))
	for _, u := range added {
		in[u.Device] = true
	}
	for _, u := range all {
		if !in[u.Device] {
			skipped = append(skipped, Skipped{u.Device, ErrRunning})
		}
	}
	s.begun(added)
	return c, skipped, nil
}

// choose finds the devices that a wish names. Those that are not there are skipped.
func (s *Service) choose(ctx context.Context, who access.Actor, space string, w Wish) (chosen []device.Device, skipped []Skipped, err error) {
	all, err := s.needs.Devices.List(ctx, who, space, device.Filter{})
	if err != nil {
		return nil, nil, err
	}
	named := make(map[string]bool, len(w.Devices))
	for _, id := range w.Devices {
		named[id] = true
	}
	for _, d := range all {
		if named[d.ID] || len(w.Tags) > 0 && d.Matches(w.Tags) {
			chosen = append(chosen, d)
		}
		delete(named, d.ID)
	}
	for _, id := range w.Devices {
		if named[id] {
			delete(named, id)
			skipped = append(skipped, Skipped{id, device.ErrNotFound})
		}
	}
	return chosen, skipped, nil
}

// Campaigns tells the campaigns of a space, the newest first.
func (s *Service) Campaigns(ctx context.Context, who access.Actor, space string) ([]Campaign, error) {
	if err := ours(who, space); err != nil {
		return nil, err
	}
	all, err := s.needs.Store.campaigns(ctx, space, maxList)
	if err != nil {
		return nil, fmt.Errorf("list campaigns of space %s: %w", space, err)
	}
	return all, nil
}

// Campaign tells a campaign and how far its devices are.
func (s *Service) Campaign(ctx context.Context, who access.Actor, space, id string) (Campaign, []Tally, error) {
	if err := ours(who, space); err != nil {
		return Campaign{}, nil, err
	}
	c, err := s.needs.Store.campaign(ctx, space, id)
	if err != nil {
		return Campaign{}, nil, err
	}
	all, err := s.needs.Store.tally(ctx, id)
	if err != nil {
		return Campaign{}, nil, fmt.Errorf("tally campaign %s: %w", id, err)
	}
	return c, all, nil
}

// CancelCampaign ends a campaign, and all of its updates that are not over.
func (s *Service) CancelCampaign(ctx context.Context, who access.Actor, space, id string) (Campaign, error) {
	if err := ours(who, space); err != nil {
		return Campaign{}, err
	}
	var (
		c     Campaign
		moved []Update
	)
	err := s.needs.Store.edit(ctx, func(tx changer) (err error) {
		moved = moved[:0]
		if c, _, err = tx.campaign(id); err != nil {
			return err
		}
		if c.Space != space {
			return ErrCampaignNotFound
		}
		if c.State == Stopped || c.State == Complete {
			return ErrCampaignOver
		}
		open, err := tx.ofCampaign(id, -1)
		if err != nil {
			return err
		}
		for _, u := range open {
			var news []Line
			u.end(Cancelled, "", 0, s.now(), &news)
			if err := tx.save(u, news); err != nil {
				return err
			}
			moved = append(moved, u)
		}
		c.State, c.EndedAt = Stopped, s.now()
		if err := tx.saveCampaign(c); err != nil {
			return err
		}
		return tx.record(s.entry(who, space, "ota:cancel", "ota-campaign", id, nil))
	})
	if err != nil {
		return Campaign{}, err
	}
	s.over(ctx, moved)
	return c, nil
}

// Resume goes on with a campaign that was halted: with the next wave. One that runs goes on by itself.
func (s *Service) Resume(ctx context.Context, who access.Actor, space, id string) (Campaign, error) {
	if err := ours(who, space); err != nil {
		return Campaign{}, err
	}
	var (
		c        Campaign
		released []Update
	)
	err := s.needs.Store.edit(ctx, func(tx changer) (err error) {
		released = nil
		if c, _, err = tx.campaign(id); err != nil {
			return err
		}
		if c.Space != space {
			return ErrCampaignNotFound
		}
		switch c.State {
		case Running:
			return nil
		case Halted:
		default:
			return ErrCampaignOver
		}
		c.State = Running
		if released, err = s.nextWave(tx, &c); err != nil {
			return err
		}
		return tx.record(s.entry(who, space, "ota:resume", "ota-campaign", id, nil))
	})
	if err != nil {
		return Campaign{}, err
	}
	s.tell(released)
	return c, nil
}

// advance looks whether the wave of a campaign is over, and then begins the next one, halts the campaign, or ends it. It
// returns the updates that may begin.
func (s *Service) advance(ctx context.Context, id string) (released []Update, err error) {
	err = s.needs.Store.edit(ctx, func(tx changer) error {
		released = nil
		c, tallies, err := tx.campaign(id)
		if err != nil {
			return err
		}
		if c.State != Running {
			return nil
		}
		var open, ended, bad int
		for _, t := range tallies {
			switch {
			case t.Wave != c.Wave:
			case !t.Status.Over():
				open += t.Devices
			case t.Status == Failed || t.Status == Expired:
				bad += t.Devices
				ended += t.Devices
			case t.Status == Succeeded:
				ended += t.Devices
			}
		}
		if open > 0 {
			return nil
		}
		if last := c.Wave+1 >= c.Waves(); !last && bad*100 > c.MaxFailed*ended {
			c.State = Halted
			if err := tx.saveCampaign(c); err != nil {
				return err
			}
			return tx.record(s.entry(access.Actor{Kind: access.System}, c.Space, "ota:halt", "ota-campaign", id,
				map[string]string{"wave": strconv.Itoa(c.Wave), "failed": strconv.Itoa(bad), "of": strconv.Itoa(ended)}))
		}
		released, err = s.nextWave(tx, &c)
		return err
	})
	return released, err
}

// nextWave begins the next wave of c that has devices left, or ends c.
func (s *Service) nextWave(tx changer, c *Campaign) ([]Update, error) {
	for c.Wave+1 < c.Waves() {
		c.Wave++
		waiting, err := tx.ofCampaign(c.ID, c.Wave)
		if err != nil {
			return nil, err
		}
		if len(waiting) == 0 {
			continue // all of it was cancelled or has expired
		}
		for i := range waiting {
			waiting[i].release(s.now())
			if err := tx.save(waiting[i], nil); err != nil {
				return nil, err
			}
		}
		return waiting, tx.saveCampaign(*c)
	}
	c.State, c.EndedAt = Complete, s.now()
	if err := tx.saveCampaign(*c); err != nil {
		return nil, err
	}
	return nil, tx.record(s.entry(access.Actor{Kind: access.System}, c.Space, "ota:end", "ota-campaign", c.ID, nil))
}
