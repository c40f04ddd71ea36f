"""The pages, one thin file each: a view in, pictures, sentences and formulas out."""
