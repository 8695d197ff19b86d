// Package archtest keeps the plan of the house: who may import whom, what each
// file of a room is for, whose tables a query may name, and what may not be
// called outside main. It has only tests.
package archtest
