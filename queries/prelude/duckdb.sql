-- Functions whose SQL differs between DuckDB and Spark, as DuckDB defines them.

-- Seconds from one instant to another, to the microsecond; negative if the second is earlier.
create or replace macro seconds_between(started, ended) as
    cast(epoch_us(ended) - epoch_us(started) as double) / cast(1000000 as double);

-- Seconds from the beginning of 1970, in UTC, to an instant.
create or replace macro seconds_since_1970(instant) as
    cast(epoch_us(instant) as double) / cast(1000000 as double);

-- The day of an instant, in UTC, whatever the time zone of the session.
create or replace macro utc_day(instant) as
    cast(make_timestamp(epoch_us(instant)) as date);

-- The hour of an instant, in UTC, whatever the time zone of the session.
create or replace macro utc_hour(instant) as
    date_trunc('hour', make_timestamp(epoch_us(instant)));

-- An instant of a run, or null where it is implausible: before 2015, or more than a day after its observation.
create or replace macro plausible_instant(instant, observed_at) as
    case when epoch_us(instant) >= 1420070400000000 and epoch_us(instant) - epoch_us(observed_at) <= 86400000000
    then instant end;

-- The start of the period of an instant, in UTC: its day, unless a selection sets another grain.
create or replace macro period_of(instant) as
    date_trunc('day', make_timestamp(epoch_us(instant)));

-- Whether a text matches a LIKE pattern, % for any text and _ for one character, without escapes.
create or replace macro matches_pattern(text, pattern) as text like pattern;

-- The model in a line item of costs, such as "gpt-4o, cached input" or "priority | gpt-4o audio, output"; null without one.
create or replace macro model_of_line_item(line_item) as
    case when line_item like '%, %' then
        split_part(split_part(split_part(line_item, ' | ', case when line_item like '% | %' then 2 else 1 end), ', ', 1), ' ', 1)
    end;

-- A JSON path without its array indices.
create or replace macro without_indices(path) as
    regexp_replace(path, '\[[0-9]+\]', '[]', 'g');

-- One row per element of a list: unnest, under the name that it has in Spark.
create or replace macro explode(list) as unnest(list);

-- A member of a JSON object, strings unquoted, other values as JSON; null if it is missing or null, or the text no JSON.
create or replace macro json_text(object, name) as
    json_extract_string(try_cast(object as json), '/' || replace(replace(name, '~', '~0'), '/', '~1'));

-- The elements, as JSON, of a list nested two levels deep in a JSON object; null if there is none.
create or replace macro json_items(object, name, inner_name) as
    cast(json_extract(object, '$."' || name || '"."' || inner_name || '"[*]') as varchar[]);

-- The members of a JSON object: key, and value as from json_text.
create or replace macro json_entries(object) as
    list_transform(list_distinct(json_keys(object)), lambda name: {'key': name, 'value': json_text(object, name)});

-- A hash of a text, which differs between the engines.
create or replace macro text_digest(text) as hash(text);

-- The MD5 of a text whose runs of ASCII whitespace are single spaces, none at its ends; the same in both engines.
create or replace macro normalised_digest(text) as
    md5(trim(regexp_replace(text, '[ \t\n\x0B\f\r]+', ' ', 'g'), ' '));

-- The names in a list, in order, as one text; null without any.
create or replace macro names_in(list) as
    case when len(list_filter(list, lambda name: name is not null)) > 0 then array_to_string(list_sort(list), ', ') end;

-- Percentiles under the names that they have in Spark: linear interpolation, a list of fractions, which must be a
-- constant expression in Spark, and one element of the result.
create or replace macro percentile(value, fractions) as quantile_cont(value, fractions);
create or replace macro array_repeat(value, times) as repeat([value], times);
create or replace macro nth(list, place) as list[place];

-- The bookkeeping tables, without a schema, since temporary views, as in Spark, have none.
create or replace macro book_of_loads() as table select * from runmart.loads;
create or replace macro book_of_rejects() as table select * from runmart.rejects;
create or replace macro book_of_sources() as table select * from runmart.sources;
