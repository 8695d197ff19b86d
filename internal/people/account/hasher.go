package account

import "context"

// Hash makes a PHC string of Argon2id, as passwords are kept. Other secrets that
// people write down wait at the same gate, so that together they take no more of the machine.
func (s *Service) Hash(ctx context.Context, text string) (phc string, err error) {
	err = s.gate.do(ctx, func() { phc = hash(text) })
	return phc, err
}

// Matches says whether a PHC string of Hash is that of text.
func (s *Service) Matches(ctx context.Context, phc, text string) (good bool, err error) {
	var failed error
	if err := s.gate.do(ctx, func() { good, _, failed = matches(phc, text) }); err != nil {
		return false, err
	}
	return good, failed
}
