//! A stack whose first item needs no allocation: most ends are those of one node with one waiter.

/// Items in the order in which they came.
pub(crate) struct Few<T> {
    first: Option<T>,
    rest: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, rest: Vec::new() }
    }
}

impl<T> Few<T> {
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        if self.first.is_none() { self.first = Some(item) } else { self.rest.push(item) }
    }

    /// Takes the item that came last.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.rest.pop().or_else(|| self.first.take())
    }

    /// Returns the item of this number, counted from zero.
    #[inline]
    pub(crate) fn get(&self, number: usize) -> Option<&T> {
        if number == 0 { self.first.as_ref() } else { self.rest.get(number - 1) }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.rest.reserve(more);
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        let mut items = items.into_iter();
        if self.first.is_none() {
            self.first = items.next();
        }
        self.rest.extend(items);
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}
