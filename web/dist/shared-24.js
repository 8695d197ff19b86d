import{b as t,g as i}from"./shared-16.js";import{n}from"./shared-1.js";function r({at:e,zone:o}){return n("time",{dateTime:e,title:t(e,o),children:i(e)})}export{r as a};
