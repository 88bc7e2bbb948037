-- A condition on `named`: its title has one of some words.
-- in: words (of ASCII, each between blanks), pieces (other words, which may stand within one)
-- out: a condition
(EXISTS (SELECT FROM unnest(%(words)s::text[]) AS word
         WHERE position(word IN ' ' || regexp_replace(lower(named.title), '[^a-z0-9]+', ' ', 'g') || ' ') > 0)
 OR EXISTS (SELECT FROM unnest(%(pieces)s::text[]) AS piece
            WHERE position(piece IN lower(normalize(named.title, NFC))) > 0))
