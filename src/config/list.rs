//! Lists of numbers in the settings file. One number is a list of one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A number that a list may hold.
pub(super) trait Number: Sized + for<'de> Deserialize<'de> {
    /// The number for this value; `None` if there is none.
    fn from_whole(whole: i128) -> Option<Self>;
    /// The number for a value with a fraction; `None` if there is none.
    fn from_fraction(value: f64) -> Option<Self>;
    /// What the numbers are, for messages.
    const WHAT: &'static str;
}

impl Number for u32 {
    const WHAT: &'static str = "whole numbers of 1 or more";

    fn from_whole(whole: i128) -> Option<Self> {
        whole.try_into().ok()
    }

    fn from_fraction(_: f64) -> Option<Self> {
        None
    }
}

impl Number for f64 {
    const WHAT: &'static str = "numbers above 0";

    fn from_whole(whole: i128) -> Option<Self> {
        Some(whole as Self)
    }

    fn from_fraction(value: f64) -> Option<Self> {
        Some(value)
    }
}

/// Reads `[20, 40]` or `20`.
pub(super) fn one_or_more<'de, T: Number, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    deserializer.deserialize_any(Numbers { is_item: false, number: PhantomData }).map(Some)
}

struct Numbers<T> {
    /// Whether this is one number of a list.
    is_item: bool,
    number: PhantomData<T>,
}

/// One number of a list.
struct Item<T>(T);

impl<'de, T: Number> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let one = deserializer.deserialize_any(Numbers::<T> { is_item: true, number: PhantomData })?;
        one.into_iter().next().map(Self).ok_or_else(|| de::Error::custom("it is empty"))
    }
}

impl<T: Number> Numbers<T> {
    fn wrong<E: de::Error>(value: impl fmt::Display) -> E {
        E::custom(format!("{value} cannot be used: give {}, such as [20, 40]", T::WHAT))
    }
}

impl<'de, T: Number> Visitor<'de> for Numbers<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {}, such as [20, 40]", T::WHAT)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<T>, E> {
        T::from_whole(number.into()).map(|number| vec![number]).ok_or_else(|| Self::wrong(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
        T::from_whole(number.into()).map(|number| vec![number]).ok_or_else(|| Self::wrong(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Vec<T>, E> {
        T::from_fraction(number).map(|number| vec![number]).ok_or_else(|| Self::wrong(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        Err(E::custom(format!("'{text}' is text; write a list of numbers without quotes, such as [20, 40]")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        if self.is_item {
            return Err(de::Error::custom(
                "it is a list in a list; write one list of numbers, such as [20, 40]",
            ));
        }
        let mut numbers = Vec::new();
        while let Some(Item(number)) = list.next_element()? {
            numbers.push(number);
        }
        Ok(numbers)
    }
}
