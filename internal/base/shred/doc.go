// Package shred destroys the keys of what was erased, so that no log, dead page or archive of
// data can tell it any more.
//
// Whoever erases something calls [Intend] in the transaction that removes its rows: from then on its
// key will be destroyed. A [Shredder] gathers intents and destroys their keys together, because
// the key ring takes as long for many as for one; then it takes the intents away, with an entry in the journal
// for each as proof. A crash between any two steps leaves intents, and destroying a key again changes nothing.
//
// What an older archive of data brings back has no key any more, and its room erases it at the next start.
//
// Table: shred.
package shred
