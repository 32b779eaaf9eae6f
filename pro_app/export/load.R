# Reads data.csv and codebook.csv, which lie beside this file, and labels them.
#
#   source("load.R")
#
# makes a data frame with the table's name, such as `answers`. If some codes say why there is no
# answer, a second one, such as `answers_absent`, has for every row the reason in words.
# With the package haven, coded columns are labelled vectors and absences tagged missing values:
# s skipped, n not applicable, r not reached. Without it they are factors.
# The notes printed at the end belong to the data; they are also in attr(answers, "notes").
# Needs nothing but base R 3.5 or later.

local({
  beside_me <- function() {
    for (frame in rev(sys.frames())) {
      if (!is.null(frame$ofile) && file.exists(file.path(dirname(frame$ofile), "data.csv")))
        return(dirname(frame$ofile))
    }
    run <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
    if (length(run) == 1 && file.exists(file.path(dirname(run), "data.csv"))) return(dirname(run))
    "."
  }

  # encoding marks the texts as UTF-8 and leaves their bytes alone, whatever this machine's own
  # encoding is; an empty cell is missing, and a text such as "NA" is a text
  read <- function(file, classes) {
    read.csv(file.path(beside_me(), file), colClasses = classes, na.strings = "",
             encoding = "UTF-8", check.names = FALSE, fill = FALSE, blank.lines.skip = FALSE)
  }

  moment <- function(text, zone) {
    text <- sub("([+-][0-9]{2}):([0-9]{2})$", "\\1\\2", text)
    found <- as.POSIXct(strptime(text, "%Y-%m-%dT%H:%M:%OS%z", tz = "UTC"))
    attr(found, "tzone") <- zone
    found
  }

  whole <- function(x) {
    if (all(is.na(x) | abs(x) <= .Machine$integer.max)) as.integer(x) else x
  }

  # labels that two codes share would become one level
  levels_of <- function(codes) {
    shared <- codes$code_label %in% codes$code_label[duplicated(codes$code_label)]
    ifelse(shared, paste0(codes$code_label, " (", codes$code, ")"), codes$code_label)
  }

  as_factor <- function(x, codes) {
    more <- setdiff(unique(as.character(x[!is.na(x)])), codes$code)
    factor(as.character(x), levels = c(codes$code, more), labels = c(levels_of(codes), more))
  }

  tags <- c("-7" = "s", "-8" = "n", "-9" = "r")

  with_haven <- function(x, codes, absences, label) {
    if (is.character(x))
      return(haven::labelled(x, structure(codes$code, names = codes$code_label), label))
    if (nrow(absences) > 0) x <- as.double(x)  # whole numbers cannot be tagged
    known <- structure(as(codes$code, typeof(x)), names = codes$code_label)
    for (code in absences$code) {
      tagged <- haven::tagged_na(tags[[code]])
      x[!is.na(x) & x == as.double(code)] <- tagged
      known <- c(known, structure(tagged, names = absences$code_label[absences$code == code]))
    }
    haven::labelled(x, known, label)
  }

  book <- read("codebook.csv", "character")
  about <- book[is.na(book$column), ]
  told <- function(kind) about$label[about$kind == kind]
  columns <- book[!is.na(book$column) & !is.na(book$kind), ]
  codes <- book[!is.na(book$column) & is.na(book$kind), ]
  classes <- c(text = "character", integer = "numeric", number = "numeric",
               moment = "character", day = "character")
  data <- read("data.csv", structure(unname(classes[columns$kind]), names = columns$column))
  absent <- data[0]
  haven <- requireNamespace("haven", quietly = TRUE)

  for (place in seq_len(nrow(columns))) {
    name <- columns$column[place]
    kind <- columns$kind[place]
    label <- columns$label[place]
    x <- data[[name]]
    if (kind == "integer") x <- whole(x)
    if (kind == "moment") x <- moment(x, told("zone"))
    if (kind == "day") x <- as.Date(x, format = "%Y-%m-%d")
    own <- codes[codes$column == name & codes$absence == "0", ]
    absences <- codes[codes$column == name & codes$absence == "1", ]
    if (nrow(absences) > 0) {
      missing <- !is.na(x) & as.character(x) %in% absences$code
      absent[[name]] <- as_factor(ifelse(missing, x, NA), absences)
      attr(absent[[name]], "label") <- label
      if (!haven) x[missing] <- NA
    }
    if (nrow(own) + nrow(absences) > 0) {
      x <- if (haven) with_haven(x, own, absences, label) else as_factor(x, own)
    }
    attr(x, "label") <- label
    data[[name]] <- x
  }

  attr(data, "label") <- told("title")
  attr(data, "notes") <- told("note")
  assign(told("table"), data, envir = globalenv())
  if (ncol(absent) > 0) assign(paste0(told("table"), "_absent"), absent, envir = globalenv())
  for (note in told("note")) message(note)
})
