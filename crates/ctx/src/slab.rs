//! A list whose places keep their number while others come and go.

/// A growing list of numbered places; a place that is left is used again.
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Stores `item` and returns its place.
    pub(crate) fn insert(&mut self, item: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(item);
            return place;
        }
        self.places.push(Some(item));
        u32::try_from(self.places.len() - 1).expect("four thousand million registrations fit no memory")
    }

    /// Takes what stands in `place`, if anything does.
    pub(crate) fn remove(&mut self, place: u32) -> Option<T> {
        let item = self.places.get_mut(place as usize)?.take()?;
        // Leaving the last place gives it back at once, so that create-then-drop never grows the free list.
        if place as usize + 1 == self.places.len() {
            self.places.pop();
        } else {
            self.free.push(place);
        }
        if self.len() == 0 {
            self.places.clear();
            self.free.clear();
        }
        Some(item)
    }

    /// Takes over the items of another list, in new places.
    pub(crate) fn append(&mut self, other: Self) {
        other.into_values().for_each(|item| _ = self.insert(item));
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }

    pub(crate) fn into_values(self) -> std::iter::Flatten<std::vec::IntoIter<Option<T>>> {
        self.places.into_iter().flatten()
    }
}
