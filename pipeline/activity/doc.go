// Package activity says in what words, and whether, something that a dialer did stands
// in a CRM: the notes of a call and where they stand in a description that people edit
// too, the tenant's policy for calls, labels of outcomes.
//
// In: what is known of one call. Out: text and decisions. It is pure: no state, no
// time, no CRM but by what its profile says of the field (length, HTML).
//
// What a person typed into a description is never taken out (B12): Merge replaces our
// own block alone, which it knows by its marks or word by word; where neither is to be
// found any more, the block goes under what is there. A text that is too long is cut
// inside our block, and marked (B28).
package activity
