//! English words and forms.

use super::{Action, Words};

const fn action(
    base: &'static str,
    third: &'static str,
    present: &'static str,
    past: &'static str,
) -> Action {
    Action { base, third, present, past }
}

/// Past and past participle of all actions are the same word.
pub(super) const WORDS: Words = Words {
    forms: [
        "P S the O L.",
        "does P V the O L?",
        "P does not V the O L.",
        "P D the O L.",
        "did P V the O L?",
        "P never D the O L.",
        "P will V the O L.",
        "will P V the O L?",
        "why does P V the O L?",
        "P wants to V the O L.",
        "L, P D the O.",
        "it was P who D the O L.",
        "let P V the O L!",
        "P is G the O L.",
        "is P G the O L?",
        "the O was D by P L.",
    ],
    persons: [
        "anna", "ben", "clara", "david", "emma", "frank", "grace", "henry", "iris", "jack", "kate", "leo",
        "mary", "noah", "olga", "paul",
    ],
    actions: [
        action("find", "finds", "finding", "found"),
        action("buy", "buys", "buying", "bought"),
        action("paint", "paints", "painting", "painted"),
        action("sell", "sells", "selling", "sold"),
        action("clean", "cleans", "cleaning", "cleaned"),
        action("carry", "carries", "carrying", "carried"),
        action("lose", "loses", "losing", "lost"),
        action("keep", "keeps", "keeping", "kept"),
        action("move", "moves", "moving", "moved"),
        action("describe", "describes", "describing", "described"),
        action("hold", "holds", "holding", "held"),
        action("count", "counts", "counting", "counted"),
        action("catch", "catches", "catching", "caught"),
        action("bring", "brings", "bringing", "brought"),
        action("lend", "lends", "lending", "lent"),
        action("burn", "burns", "burning", "burned"),
    ],
    objects: [
        "lamp", "book", "letter", "chair", "coat", "basket", "clock", "ring", "ladder", "mirror", "map",
        "bottle", "cup", "flute", "carpet", "stone",
    ],
    locations: [
        "in the garden",
        "at the station",
        "on the bridge",
        "behind the school",
        "near the river",
        "in the kitchen",
        "at the market",
        "by the gate",
    ],
};
