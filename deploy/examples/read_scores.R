# Read a study's scores page by page, and print how many there are and the mean of each scale.
#
#     PRO_APP_ADDRESS=https://pro.example.org PRO_APP_TOKEN=... Rscript read_scores.R
#
# Needs the package jsonlite.

address <- paste0(sub("/$", "", Sys.getenv("PRO_APP_ADDRESS")), "/api/v1")
token <- Sys.getenv("PRO_APP_TOKEN") # never write it into a script

get <- function(url) {
  connection <- url(url, headers = c(Authorization = paste("Bearer", token)), encoding = "UTF-8")
  on.exit(close(connection))
  jsonlite::fromJSON(paste(readLines(connection, warn = FALSE, encoding = "UTF-8"), collapse = "\n"))
}

read <- function(table, query = "") {
  url <- paste0(get(paste0(address, "/studies"))$studies$url[1], "/", table, query)
  pages <- list()
  notes <- character()
  while (!is.null(url)) {
    page <- get(url)
    pages[[length(pages) + 1]] <- as.data.frame(page$rows)
    notes <- page$notes
    url <- page[["next"]]
  }
  rows <- do.call(rbind, pages)
  attr(rows, "notes") <- notes
  rows
}

rows <- read("scores_long", "?limit=5000")
for (note in attr(rows, "notes")) cat("Note:", note, "\n")
cat("scoring\tscale\tn\tmean\n")
if (NROW(rows) > 0) {
  for (part in split(rows, paste(rows$scoring, rows$scale, sep = "\t"))) {
    values <- as.numeric(part$value[!is.na(part$value)])
    mean_text <- if (length(values) > 0) sprintf("%.4f", mean(values)) else "NA"
    cat(part$scoring[1], part$scale[1], length(values), mean_text, sep = "\t")
    cat("\n")
  }
}
