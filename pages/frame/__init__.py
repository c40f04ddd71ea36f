"""What surrounds every page: a visit in, the navigation, the strip on top and the page's view out."""
